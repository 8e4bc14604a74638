"""One version: pyproject.toml has it, and everything that repeats it says the same. The changelog knows it."""

import json
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

import a2llm

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DOCKERFILES = sorted((ROOT / "infra" / "docker").glob("*.Dockerfile"))


def test_the_package_says_it() -> None:
    assert a2llm.__version__ == version("a2llm-serve") == VERSION


def test_the_chart_says_it() -> None:
    chart = yaml.safe_load((ROOT / "charts" / "a2llm" / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)


def test_the_page_says_it() -> None:
    package = json.loads((ROOT / "services" / "web" / "package.json").read_text())
    lock = json.loads((ROOT / "services" / "web" / "package-lock.json").read_text())
    assert [package["version"], lock["version"], lock["packages"][""]["version"]] == [VERSION] * 3


def test_compose_says_it_wherever_it_names_an_image() -> None:
    said = re.findall(r"A2_VERSION:-([^}]+)\}", (ROOT / "docker-compose.yml").read_text())
    assert len(said) > 5 and set(said) == {VERSION}
    assert f"A2_VERSION={VERSION}\n" in (ROOT / ".env.example").read_text()


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_says_it_in_its_arguments_and_its_examples(file: Path) -> None:
    text = file.read_text()
    assert re.findall(r"^ARG VERSION=(\S+)", text, re.MULTILINE) == [VERSION]
    assert set(re.findall(r"-t a2llm/\w+:(\d+\.\d+\.\d+)", text)) == {VERSION}


def test_the_changelog_has_a_section_for_what_is_not_released_and_for_it() -> None:
    sections = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[:2] == ["Unreleased", VERSION]
