"""The page's own tests (TypeScript: clock, jitter buffer, reconnect, golden bytes) run with the rest."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "services" / "web"


@pytest.mark.skipif(not (WEB / "node_modules").exists(), reason="the page was not built: `make setup` says why")
def test_the_page_s_tests_pass() -> None:
    scripts = sysconfig.get_path("scripts")
    done = subprocess.run(
        ["npm", "test"],
        cwd=WEB,
        env=os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
