"""`make images`: builds every image with the tags that chart and compose ask for, says how large each is, keeps its SBOM, pushes.

    python infra/docker/images.py --dry-run                                      # the commands, and nothing else
    python infra/docker/images.py --registry europe-docker.pkg.dev/p/a2llm --push
    python infra/docker/images.py --only triton-cuda gateway

Needs Docker 23 or newer with buildx, and nothing of this repository's environment.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PLATFORM = "linux/amd64"  # the only one that Triton's wheel exists for
BASE, SBOM = "python:3.11.13-slim-bookworm", "/usr/share/a2llm/sbom.cdx.json"
LOCAL = "a2llm"  # as docker-compose.yml names them
DOCKER_MISSING = "docker was not found: install Docker Engine 23 or newer with buildx; --dry-run prints what would run"


class Image(NamedTuple):
    """A Dockerfile in one of its variants."""

    repository: str
    variant: str = ""

    @property
    def suffix(self) -> str:
        return f"-{self.variant}" if self.variant else ""

    @property
    def name(self) -> str:
        return self.repository + self.suffix


IMAGES = tuple(Image(*words) for words in (["gateway"], ["recorder"], ["inference"], ["triton"], ["inference", "cuda"], ["triton", "cuda"]))


@dataclass(frozen=True)
class Step:
    """A command, and the file that takes what it prints."""

    command: tuple[str, ...]
    out: Path | None = None

    def __str__(self) -> str:
        return shlex.join(self.command) + (f" > {shlex.quote(str(self.out))}" if self.out else "")


@dataclass(frozen=True)
class Plan:
    """Images to build, and their contexts."""

    registry: str
    version: str
    base: str
    revision: str
    sbom_folder: Path
    torch_sha256: str = ""

    def tag(self, image: Image) -> str:
        return f"{self.registry}/{image.repository}:{self.version}{image.suffix}"

    def build(self, image: Image) -> Step:
        given = {"BASE": self.base, "VERSION": self.version, "REVISION": self.revision}
        given |= {"VARIANT": image.variant} if image.variant else {}
        given |= {"TORCH_SHA256": self.torch_sha256} if self.torch_sha256 and image.name in ("inference", "triton") else {}
        arguments = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
        return Step(
            (
                "docker",
                "buildx",
                "build",
                "--load",
                "--platform",
                PLATFORM,
                "--file",
                f"infra/docker/{image.repository}.Dockerfile",
                *arguments,
                "--tag",
                self.tag(image),
                ".",
            )
        )

    def sbom(self, image: Image) -> Step:
        show = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "cat", self.tag(image), SBOM)
        return Step(show, self.sbom_folder / f"{image.name}-{self.version}.cdx.json")

    def size(self, image: Image) -> Step:
        return Step(("docker", "image", "inspect", "--format", "{{.Size}}", self.tag(image)))

    def push(self, image: Image) -> Step:
        return Step(("docker", "push", self.tag(image)))

    def digest(self, image: Image) -> Step:
        return Step(("docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", self.tag(image)))

    def steps(self, image: Image, push: bool) -> Iterator[Step]:
        yield from (self.build(image), self.sbom(image), self.size(image))
        if push:
            yield from (self.push(image), self.digest(image))


def main() -> int:
    """The exit code: 0, 1 for a step that failed (its command is the last thing said), 130 after Ctrl-C."""
    options = _options()
    plan = Plan(options.registry, options.version, options.base, _revision(), options.sbom, options.torch_sha256)
    images = [image for image in IMAGES if image.name in (options.only or {each.name for each in IMAGES})]
    if options.dry_run:
        print("\n".join(str(step) for image in images for step in plan.steps(image, options.push)))
        return 0
    if problem := _no_docker():
        print(problem, file=sys.stderr)
        return 1
    try:
        return _make(plan, images, options.push)
    except KeyboardInterrupt:
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--registry", default=LOCAL, help=f"before each name, the chart's image.registry (default: {LOCAL}, as compose has it)"
    )
    parser.add_argument("--version", default=_version(), help="tag (default: %(default)s, of pyproject.toml)")
    parser.add_argument("--base", default=BASE, help="base image, best with @sha256:... (default: %(default)s)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[image.name for image in IMAGES],
        metavar="IMAGE",
        help=f"some of: {' '.join(image.name for image in IMAGES)}",
    )
    parser.add_argument("--torch-sha256", default="", metavar="SHA256", help="of the CPU wheel of torch, which the lock cannot hold")
    parser.add_argument("--sbom", type=Path, default=Path("build/images"), metavar="FOLDER", help="where SBOMs go (default: %(default)s)")
    parser.add_argument("--push", action="store_true", help="push each one that is built")
    parser.add_argument("--dry-run", action="store_true", help="print the commands")
    options = parser.parse_args()
    if options.push and options.registry == LOCAL:
        parser.error(f"--push needs --registry: {LOCAL} is this machine's own")
    return options


def _make(plan: Plan, images: Sequence[Image], push: bool) -> int:
    plan.sbom_folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for image in images:
        for step in (plan.build(image), plan.sbom(image)):
            if not _run(step):
                return 1
        lines.append(f"{plan.tag(image):<60} {int(_said(plan.size(image)) or 0) / 1e9:6.2f} GB")
        if push:
            if not _run(plan.push(image)):
                print(_login_hint(plan.registry), file=sys.stderr)
                return 1
            lines[-1] += f"  {_said(plan.digest(image))}"
    print("\n".join(["", *lines, f"SBOMs: {plan.sbom_folder}"]))
    return 0


def _run(step: Step) -> bool:
    """A step's output file appears whole or not at all."""
    print(f"$ {step}", file=sys.stderr, flush=True)
    if step.out is None:
        good = subprocess.run(step.command, cwd=ROOT).returncode == 0
    else:
        done = subprocess.run(step.command, cwd=ROOT, stdout=subprocess.PIPE)
        if good := done.returncode == 0:
            step.out.write_bytes(done.stdout)
    if not good:
        print(f"this failed: {step}", file=sys.stderr)
    return good


def _said(step: Step) -> str:
    return subprocess.run(step.command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def _no_docker() -> str:
    """Why nothing can be built; empty if it can."""
    if shutil.which("docker") is None:
        return DOCKER_MISSING
    for command, needed in ((("docker", "info"), "a running Docker daemon"), (("docker", "buildx", "version"), "Docker's buildx")):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return f"this needs {needed}: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
    return ""


def _login_hint(registry: str) -> str:
    host = registry.partition("/")[0]
    if ".dkr.ecr." in host:
        login = f"aws ecr get-login-password | docker login --username AWS --password-stdin {host}"
        return f"log in first: {login}; ECR also wants a repository for each image"
    if host.endswith("-docker.pkg.dev"):
        return f"log in first: gcloud auth configure-docker {host}"
    return f"log in first: docker login {host}"


def _version() -> str:
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    return found[1] if found else "dev"


def _revision() -> str:
    try:
        done = subprocess.run(
            ("git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"), cwd=ROOT, capture_output=True, text=True
        )
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
