"""Command lines of the services: help lists every setting, and a wrong one ends with a line that names it, before anything heavy."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from a2serve.gateway.program import main as gateway
from a2serve.gateway.settings import GatewaySettings
from a2serve.inference.program import main as inference
from a2serve.inference.ray_program import _own_folder
from a2serve.inference.ray_program import main as ray
from a2serve.inference.settings import InferenceSettings
from a2serve.recorder.program import main as recorder
from a2serve.recorder.settings import RecorderSettings

PROGRAMS: list[tuple[Callable[[], None], type[BaseSettings], str]] = [
    (gateway, GatewaySettings, "A2_GATEWAY_"),
    (inference, InferenceSettings, "A2_INFERENCE_"),
    (ray, InferenceSettings, "A2_INFERENCE_"),
    (recorder, RecorderSettings, "A2_RECORDER_"),
]
NAMES = ["gateway", "inference", "ray", "recorder"]


@pytest.mark.parametrize(("main", "settings", "prefix"), PROGRAMS, ids=NAMES)
def test_help_lists_every_setting(main, settings, prefix: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["program", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert [name for name in settings.model_fields if f"{prefix}{name.upper()}" not in text] == []


@pytest.mark.parametrize(("main", "settings", "prefix"), PROGRAMS, ids=NAMES)
def test_a_wrong_setting_is_a_line_that_names_it(main, settings, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["program"])
    monkeypatch.setenv(f"{prefix}METRICS_PORT" if main is not gateway else f"{prefix}PORT", "ninety")
    with pytest.raises(SystemExit) as ended:
        main()
    assert f"{prefix}{'METRICS_PORT' if main is not gateway else 'PORT'}: " in str(ended.value.code)


def test_keys_that_cannot_be_read_are_named_by_their_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tenants.toml").write_text("[[nonsense")
    monkeypatch.setattr("sys.argv", ["program"])
    monkeypatch.setenv("A2_TENANTS_FILE", str(tmp_path / "tenants.toml"))
    with pytest.raises(SystemExit, match="the gateway cannot start: A2_TENANTS_FILE: "):
        gateway()


def test_ray_needs_a_port_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["program"])
    monkeypatch.setenv("A2_INFERENCE_PORT", "0")
    with pytest.raises(SystemExit, match="A2_INFERENCE_PORT: Ray's ingress takes no port by itself"):
        ray()


def test_ray_s_folder_has_a_short_name_and_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    wanted, short = tmp_path / ("long" * 20), tmp_path / "s"
    short.mkdir()
    (wanted / "session_2026").mkdir(parents=True)
    (wanted / "kept").touch()
    folder = _own_folder(str(wanted), short)
    assert folder == short / "r" and folder.resolve() == wanted.resolve()
    assert sorted(path.name for path in wanted.iterdir()) == ["h", "kept"]


def test_nothing_heavy_is_loaded_for_a_mistake() -> None:
    program = """
import sys
try:
    from a2serve.inference.program import main
    main()
finally:
    print([name for name in ("torch", "ray") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], env={"A2_INFERENCE_SLOTS": "many"}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout.strip() == "[]" and "A2_INFERENCE_SLOTS: " in done.stderr
