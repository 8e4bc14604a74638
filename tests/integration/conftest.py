"""Real servers for integration tests: started in a blink, one per module."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from support.servers.gateway import GatewayStand, free_port, gateway_standing, process, run, valkey_command
from support.servers.realtime import Script

from a2llm.api import load_parts
from a2llm.engine import Parts
from a2serve.recorder.database import RecordDatabase


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


@pytest.fixture
def stand(valkey_port: int, tmp_path: Path) -> Callable[..., None]:
    """Runs a test with a gateway of these settings, an empty Valkey and a model that speaks by the script."""

    def go(test: Callable[[GatewayStand], Awaitable[None]], script: Script | None = None, **settings: Any) -> None:
        async def within() -> None:
            async with gateway_standing(tmp_path, valkey_port, script, **settings) as made:
                await test(made)

        run(within)

    return go


@pytest.fixture
def database(database_url: str) -> Iterator[RecordDatabase]:
    """The recorder's, with its tables."""
    made = RecordDatabase(database_url)
    made.migrate()
    yield made
    made.close()
