"""Choice of the device: it is named when it is there, and refused with what is missing when it is not."""

import logging
from pathlib import Path

import pytest
import torch
from prometheus_client import generate_latest

from a2llm.layers import device
from a2llm.layers.device import DeviceUnavailable, device_facts, driver_version, pick_device
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import load_core
from a2serve.inference.settings import InferenceSettings

PROPRIETARY = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\nGCC version: gcc 12.2.0\n"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs-builder)\n"
TOO_OLD = "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver.\nmore"
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the kernel tells of its driver; not there yet."""
    monkeypatch.setattr(device, "DRIVER_FILE", tmp_path / "version")
    return tmp_path / "version"


def refuse_cuda(monkeypatch: pytest.MonkeyPatch, reason: str, built_for: str | None = "13.0") -> None:
    """Makes torch fail as it does on a machine that we have not."""

    def zeros(*_: object, **__: object) -> None:
        raise RuntimeError(reason)

    monkeypatch.setattr(torch, "zeros", zeros)
    monkeypatch.setattr(torch.version, "cuda", built_for)


@pytest.mark.parametrize(("text", "found"), [(PROPRIETARY, "550.54.14"), (OPEN, "580.65.06"), ("something else", ""), (None, "")])
def test_the_drivers_version_is_the_kernels(driver: Path, text: str | None, found: str) -> None:
    if text is not None:
        driver.write_text(text)
    assert driver_version() == found


@without_gpu
def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error(driver: Path) -> None:
    assert pick_device("auto") == pick_device("cpu") == "cpu"
    with pytest.raises(DeviceUnavailable, match=r"there is no device 'cuda:0': .*PyTorch") as refused:
        pick_device("cuda:0")
    assert isinstance(refused.value, ValueError) and "\n" not in str(refused.value)


@pytest.mark.parametrize(("built_for", "least"), [("13.0", "580"), ("12.6", "525")])
def test_an_old_driver_is_named_beside_the_one_that_is_needed(
    driver: Path, monkeypatch: pytest.MonkeyPatch, built_for: str, least: str
) -> None:
    driver.write_text(PROPRIETARY)
    refuse_cuda(monkeypatch, TOO_OLD, built_for)
    with pytest.raises(DeviceUnavailable) as refused:
        pick_device("cuda:0")
    said = str(refused.value)
    assert said.startswith("there is no device 'cuda:0': The NVIDIA driver on your system is too old (found version 12040)")
    assert said.endswith(f"built for CUDA {built_for} and needs an NVIDIA driver {least} or newer; this machine has 550.54.14")


def test_no_driver_is_said(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_cuda(monkeypatch, "Found no NVIDIA driver on your system.")
    with pytest.raises(DeviceUnavailable, match=r"driver 580 or newer; this machine has none that can be seen here$"):
        pick_device("cuda")


def test_torch_without_cuda_asks_for_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_cuda(monkeypatch, "Torch not compiled with CUDA enabled", built_for=None)
    with pytest.raises(DeviceUnavailable, match=r"is built without CUDA: .*image whose tag ends in -cuda$"):
        pick_device("cuda:0")


def test_a_word_that_is_no_device_is_an_error() -> None:
    with pytest.raises(DeviceUnavailable, match="there is no device 'abacus'"):
        pick_device("abacus")


def test_facts_of_a_gpu_name_it(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.write_text(OPEN)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda name: f"NVIDIA L4 as {name}")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    facts = device_facts("cuda:1")
    assert (facts.kind, facts.gpu, facts.driver, facts.cuda) == ("gpu", "NVIDIA L4 as cuda:1", "580.65.06", "13.0")
    assert str(facts) == f"device cuda:1, kind gpu, gpu NVIDIA L4 as cuda:1, driver 580.65.06, cuda 13.0, torch {torch.__version__}"


@without_gpu
def test_an_engine_that_is_to_have_a_gpu_does_not_load_without(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.INFO), pytest.raises(DeviceUnavailable, match="'cuda:0'"):
        load_core(InferenceSettings(device="cuda:0"), metrics)
    assert "the engine runs on" not in caplog.text
    assert b"device_info{" not in generate_latest(metrics.registry)
