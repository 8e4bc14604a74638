"""A Triton that is to have a GPU, on a machine without one: it ends and says why, whatever the environment says of devices."""

import os
import subprocess

import pytest
import torch

from a2serve.local.home import cache_folder
from a2serve.local.ports import free_ports
from a2serve.local.triton import TritonPorts, command, environment
from a2serve.local.triton_install import install_triton

pytestmark = [
    pytest.mark.skipif(not any((cache_folder() / "triton").glob("*-py*")), reason="needs Triton: make up PROFILE=cluster fetches it"),
    pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
]


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_server_for_a_gpu_ends_where_there_is_none(device: str) -> None:
    ports = TritonPorts(*free_ports(3))
    chosen = {**os.environ, **environment(), "A2_INFERENCE_DEVICE": device}
    done = subprocess.run(command(install_triton(print), ports, on_gpu=True), env=chosen, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "load failed for model 'a2llm'" in done.stderr and "gpu id 0" in done.stderr
