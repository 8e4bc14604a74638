"""Real servers for integration tests: started in a blink, one per module."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_stand import free_port, process, valkey_command
from redis import Redis

from a2llm.api import load_parts
from a2llm.engine import Parts


@pytest.fixture(scope="session")
def shipped_parts() -> Parts:
    """The weights that ship, loaded once."""
    return load_parts()


@pytest.fixture
def valkey_port(valkey: int) -> int:
    """An empty Valkey."""
    with Redis(port=valkey) as redis:
        redis.flushall()
    return valkey


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A Valkey of this module alone."""
    folder: Path = tmp_path_factory.mktemp("valkey")
    port = free_port()
    with process(valkey_command(port, folder), port, folder / "valkey.log"):
        yield port
