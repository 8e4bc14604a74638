"""Taken ports of the inference service: the setting that chooses another is named."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.models.cli_model import write_tiny_model

from a2serve.local.ports import HOST, free_ports


@pytest.mark.parametrize("setting", ["A2_INFERENCE_PORT", "A2_INFERENCE_METRICS_PORT"])
def test_a_taken_port_names_its_setting(setting: str, tmp_path: Path, mini_gguf: Path) -> None:
    tiny = {"A2_MODEL": str(write_tiny_model(tmp_path / "model")), "A2_WEIGHTS_BACKBONE": str(mini_gguf), "A2_HOME": str(tmp_path / "home")}
    free = dict(zip(("A2_INFERENCE_PORT", "A2_INFERENCE_METRICS_PORT"), map(str, free_ports(2)), strict=True))
    with socket.create_server((HOST, 0)) as taken:
        chosen = tiny | free | {setting: str(taken.getsockname()[1]), "A2_INFERENCE_SLOTS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "a2serve.inference"], env=os.environ | chosen, capture_output=True, text=True, timeout=90
        )
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith("inference cannot start: cannot ") and setting in last and chosen[setting] in last
    assert done.stdout == ""
