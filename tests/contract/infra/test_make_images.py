"""`make images`: what it builds is what chart and compose ask for, and what it says is what it would run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.chart.render import pods, profiles, rendered
from support.infra_files import INFRA, ROOT, load

PROGRAM = INFRA / "docker" / "images.py"
NAMES = ("gateway", "recorder", "inference", "triton", "inference-cuda", "triton-cuda")
# Plays docker: says what it was called with; a size, an SBOM, a digest; `push` fails where the registry is called closed.
DOCKER = """#!/bin/sh
echo "$*" >> "$DOCKER_LOG"
case "$*" in
  *"image inspect"*) echo 1234567890 ;;
  *imagetools*) echo sha256:feed ;;
  run*) echo '{"bomFormat": "CycloneDX"}' ;;
  "push "*closed*) echo denied >&2; exit 1 ;;
  buildx\\ build*broken*) exit 7 ;;
esac
"""


def images(*options: str, path: str | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **environment, **({"PATH": path} if path is not None else {})}
    return subprocess.run([sys.executable, PROGRAM, *options], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)


def plan(*options: str) -> list[list[str]]:
    """The commands of a dry run."""
    done = images("--dry-run", *options)
    assert done.returncode == 0, done.stderr
    return [shlex.split(line) for line in done.stdout.splitlines()]


def tags(*options: str) -> set[str]:
    return {words[words.index("--tag") + 1] for words in plan(*options) if "build" in words}


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program `docker` first in PATH; its log."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.mark.parametrize("profile", profiles())
def test_every_image_of_the_chart_is_built(profile: str) -> None:
    found = rendered(profile)
    registry = found.values["image"]["registry"]
    wanted = {each["image"] for pod in pods(found) for each in pod.containers if each["image"].startswith(f"{registry}/")}
    built = tags("--registry", registry, *(["--version", found.values["image"]["tag"]] if found.values["image"]["tag"] else []))
    by_digest = {image.partition("@")[0] for image in wanted if "@" in image}
    assert wanted
    assert {image for image in wanted if "@" not in image} <= built
    assert by_digest <= {tag.rpartition(":")[0] for tag in built}


def test_every_image_of_ours_in_compose_is_built() -> None:
    services = load("docker-compose.yml")["services"].values()
    ours = {re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", each["image"]) for each in services if each["image"].startswith("a2llm/")}
    assert ours and ours <= tags()


def test_a_build_says_what_it_is_made_of() -> None:
    builds = [words for words in plan("--base", "python@sha256:1", "--torch-sha256", "abc") if "build" in words]
    assert len(builds) == len(NAMES)
    for words in builds:
        given = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--build-arg")
        file = Path(words[words.index("--file") + 1])
        declared = set(re.findall(r"^ARG (\w+)", (ROOT / file).read_text(), re.M))
        assert given["BASE"] == "python@sha256:1" and set(given) <= declared
        assert (given.get("VARIANT") == "cuda") == words[words.index("--tag") + 1].endswith("-cuda")
        assert ("TORCH_SHA256" in given) == (file.stem in ("inference", "triton") and "VARIANT" not in given)
        assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", given["REVISION"]) and words[-1] == "."


def test_without_docker_it_says_what_is_missing_and_makes_nothing(tmp_path: Path) -> None:
    done = images("--sbom", str(tmp_path / "sbom"), path=str(tmp_path))
    assert done.returncode == 1 and done.stderr.startswith("docker was not found: install Docker Engine")
    assert done.stdout == "" and not (tmp_path / "sbom").exists()


def test_the_dry_run_is_what_runs(docker: Path, tmp_path: Path) -> None:
    options = ("--registry", "r.example/a2llm", "--push", "--sbom", str(tmp_path / "sbom"))
    done = images(*options)
    assert done.returncode == 0, done.stderr
    ran = [line.split() for line in docker.read_text().splitlines()][2:]  # after `info` and `buildx version`
    planned = [words[1 : words.index(">")] if ">" in words else words[1:] for words in plan(*options)]
    assert ran == planned and len(ran) == 5 * len(NAMES)
    assert len(re.findall(r"r\.example/a2llm/[a-z]+:\S+ +1\.23 GB  sha256:feed", done.stdout)) == len(NAMES)
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version
    assert {file.name for file in (tmp_path / "sbom").iterdir()} == {f"{name}-{version[1]}.cdx.json" for name in NAMES}


@pytest.mark.parametrize(
    ("registry", "hint"),
    [
        ("closed.example/a", "docker login closed.example"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com/closed", "aws ecr get-login-password"),
        ("europe-docker.pkg.dev/closed/a", "gcloud auth configure-docker europe-docker.pkg.dev"),
    ],
)
def test_a_closed_registry_says_how_to_log_in(docker: Path, tmp_path: Path, registry: str, hint: str) -> None:
    done = images("--registry", registry, "--push", "--only", "recorder", "--sbom", str(tmp_path / "sbom"))
    assert done.returncode == 1 and hint in done.stderr.splitlines()[-1] and "this failed: docker push" in done.stderr


def test_a_build_that_fails_ends_it(docker: Path, tmp_path: Path) -> None:
    done = images("--version", "broken", "--sbom", str(tmp_path / "sbom"))
    assert done.returncode == 1 and "this failed: docker buildx build" in done.stderr
    assert docker.read_text().count("buildx build") == 1 and list((tmp_path / "sbom").iterdir()) == []


def test_pushing_needs_a_registry() -> None:
    done = images("--push", "--dry-run")
    assert done.returncode == 2 and "--push needs --registry" in done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_make_passes_its_variables_on() -> None:
    command = ["make", "--dry-run", "images", "REGISTRY=r.example/a", "VERSION=1.2.3", "PUSH=1", "DRY_RUN=1", "ONLY=gateway triton-cuda"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    line = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    wanted = "--registry r.example/a --version 1.2.3 --push --dry-run --only gateway triton-cuda"
    assert line.replace("\\\n", " ").split()[1:] == ["infra/docker/images.py", *wanted.split()]
