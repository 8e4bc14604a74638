"""requirements/: one lock for what make, the images and the tests install, whole, by hash, and equal to what is installed here."""

import importlib.util
import os
import re
import shutil
import subprocess
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
US = "a2llm-serve"


def _lock() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lock", ROOT / "requirements" / "lock.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILES: dict[str, tuple[str, ...]] = _lock().FILES
every_file = pytest.mark.parametrize("name", FILES)


@cache
def entries(name: str) -> dict[str, str]:
    """By its first line (name, version, marker): the hashes of a package."""
    text = re.sub(r"^#.*\n", "", (ROOT / "requirements" / f"{name}.txt").read_text(), flags=re.M).replace(" \\\n", " ")
    return {line.partition(" --hash")[0].strip(): line.partition(" --hash")[2] for line in text.splitlines() if line}


def packages(name: str) -> dict[str, tuple[str, str]]:
    """By name: version and hashes, of what this system installs."""
    found = [(Requirement(line), hashes) for line, hashes in entries(name).items()]
    return {
        canonicalize_name(r.name): (str(r.specifier).removeprefix("=="), hashes)
        for r, hashes in found
        if r.marker is None or r.marker.evaluate()
    }


@cache
def needed(extras: tuple[str, ...]) -> dict[str, str]:
    """By name: which version our extras and the metadata of what is installed ask for ("" where they leave it open).

    Raises PackageNotFoundError where this environment lacks a package.
    """
    found: dict[str, str] = {}
    waiting, seen = [Requirement(f"{US}[{','.join(extras)}]")], set[str]()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = f"{name}{sorted(requirement.extras)}"
        if key in seen:
            continue
        seen.add(key)
        waiting += _needs(requirement)
        if name != US:
            found[name] = (
                found.get(name) or str(requirement.specifier) if str(requirement.specifier).startswith("==") else found.get(name, "")
            )
    return found


def _needs(requirement: Requirement) -> list[Requirement]:
    ours = canonicalize_name(requirement.name) == US
    lines = _ours(requirement.extras) if ours else distribution(requirement.name).requires or []
    extras = requirement.extras or {""}
    environments = [{**default_environment(), "extra": extra} for extra in extras]
    return [r for r in map(Requirement, lines) if r.marker is None or any(r.marker.evaluate(e) for e in environments)]


def _ours(extras: set[str]) -> list[str]:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return [line for extra in sorted(extras) for line in known[extra]]


@pytest.mark.parametrize("name", ["everything", *FILES])
def test_every_package_has_a_version_and_hashes(name: str):
    assert entries(name)
    for line, hashes in entries(name).items():
        assert re.match(r"^[a-z0-9._-]+==\S+( ;|$)", line), line
        assert hashes.count("sha256:") >= 1, line


@every_file
def test_every_file_is_a_part_of_the_one_lock(name: str):
    everything = packages("everything")
    assert {package: everything.get(package) for package in packages(name)} == packages(name)


@pytest.mark.parametrize("extra", _lock().extras())
def test_the_lock_holds_what_every_extra_pins(extra: str):
    lock = packages("everything")
    for requirement in map(Requirement, _ours({extra})):
        if requirement.name != US:
            assert lock[canonicalize_name(requirement.name)][0] == str(requirement.specifier).removeprefix("=="), "run: make lock"


@every_file
def test_every_file_holds_what_its_packages_need(name: str):
    try:
        wanted = needed(FILES[name])
    except PackageNotFoundError as missing:
        pytest.skip(f"{missing} is not installed here")
    assert not set(wanted) - set(packages(name)), "run: make lock"


def test_what_is_installed_here_is_what_is_locked():
    lock, here = packages("local"), {}
    for name in lock:
        try:
            here[name] = distribution(name).version.partition("+")[0]
        except PackageNotFoundError:
            here[name] = "not installed"
    assert here == {name: version for name, (version, _) in lock.items()}


def test_no_address_of_a_registry_is_written_down():
    for name in ("everything", *FILES):
        assert "://" not in (ROOT / "requirements" / f"{name}.txt").read_text()


def test_make_installs_by_hash_and_resolves_nothing(tmp_path: Path):
    """Every pip of the whole set-up, as make would run it in a fresh clone."""
    if shutil.which("make") is None:
        pytest.skip("make is not here")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", "--always-make", ".setup", f"VENV={tmp_path / 'venv'}", f"{tmp_path / 'venv'}/.stamp-cluster"]
    plan = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    installs = [line for line in plan.splitlines() if "pip" in line and " install " in line]
    assert len(installs) == 3
    for line in installs:
        by_hash = all(option in line for option in ("--no-deps", "--require-hashes", "--only-binary :all:", "--requirement"))
        assert by_hash or all(option in line for option in ("--no-deps", "--no-build-isolation", "--editable .")), line
    assert "npm install" not in plan
    assert "npm ci" in plan


def test_the_pages_lock_has_a_hash_for_every_package():
    lock = (ROOT / "services" / "web" / "package-lock.json").read_text()
    assert lock.count('"version":') - 2 <= lock.count('"integrity":')  # the package itself is named twice, without one
