"""The quick start of docs/serving.md runs as it stands there: Python with the openai package, and curl."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from support.servers.gateway import WAIT_S, gateway_standing, run

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- run by tests/integration/test_serving_docs\.py -->\n```(\w+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = {"python": (sys.executable, "-c"), "bash": ("bash", "-euo", "pipefail", "-c")}


WORDS = "one two three four five"


@pytest.mark.parametrize(("language", "said"), [("python", WORDS), ("bash", f"{WORDS} 1000 ms of wav\n")])
def test_the_quick_start(language: str, said: str, valkey_port: int, tmp_path: Path) -> None:
    if language == "bash" and not shutil.which("curl"):
        pytest.skip("curl is not installed")

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port) as made:
            env = os.environ | {"A2_URL": made.url, "A2_KEY": made.keys["acme"], "NO_PROXY": "*"}
            command = (*COMMANDS[language], EXAMPLES[language])
            running = await asyncio.create_subprocess_exec(*command, env=env, cwd=tmp_path, stdout=-1, stderr=-1)
            out, errors = await asyncio.wait_for(running.communicate(), WAIT_S)
            assert (running.returncode, out.decode()) == (0, said), errors.decode()
            assert language == "bash" or (tmp_path / "answer.wav").stat().st_size == 44 + 20 * 2400

    run(within)
