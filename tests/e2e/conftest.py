"""The whole product, started once for all end-to-end tests of the service; and the Node.js packages of the stock client."""

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.service import Service
from e2e.sdk_talk import SdkTalk

NODE_FOLDER = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """It runs: `product.url`, `product.key`. Nothing of it is left afterwards."""
    with Service(tmp_path_factory.mktemp("product"), checkout=None) as service:
        yield service
        state = service.state
    left = [name for name, pid in state.parts.items() if pid.is_alive]
    assert not left, f"still running after the supervisor ended: {left}"


@pytest.fixture(scope="session")
def node_environment() -> dict[str, str]:
    """An environment in which `node` and `npm` are those of this Python's environment, where it has them."""
    return os.environ | {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def node_packages(node_environment: dict[str, str]) -> Path:
    """The folder with the stock client's packages, as the lock file has them; skips where they cannot be had."""
    if not (NODE_FOLDER / "node_modules" / ".package-lock.json").exists():
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            made = subprocess.run(command, cwd=NODE_FOLDER, env=node_environment, capture_output=True, text=True, timeout=240)
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"no packages from npm: {error}")
        if made.returncode:
            pytest.skip(f"no packages from npm: {made.stderr.strip().splitlines()[-1:]}")
    return NODE_FOLDER


@pytest.fixture(scope="session")
def sdk_talk(
    product: Service, node_packages: Path, node_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SdkTalk]:
    """The stock client for Node.js holds its conversation, from now on."""
    with SdkTalk(product, node_packages, node_environment, tmp_path_factory.mktemp("sdk")) as talk:
        yield talk
