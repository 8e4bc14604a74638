"""One component's weights in one file: tensors, config and revision travel together, so they cannot drift.

A component file is a safetensors file whose header holds one JSON entry, `a2llm`: format version, component
name, config and its hash, a revision (hash of all tensors) and free metadata. Optimizer state is not kept here.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from a2llm.files import check_readable, replacing

FORMAT_VERSION = 1
_HEADER = "a2llm"


class CheckpointError(RuntimeError):
    """A component file is missing, damaged, or not the one asked for. The message says which."""


class Component(NamedTuple):
    """A component as `load_component` returns it.

    `metadata` holds the saver's entries and `format_version`, `component`, `config_sha256`, `revision`.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    metadata: dict[str, Any]


def save_component(
    path: Path,
    component: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any] | None = None,
) -> str:
    """Write the file in one step (an interrupted save leaves the old one) and return its revision.

    `config` and `metadata` must be JSON. `metadata["requires"]` may name revisions of other components,
    `{"audio_codec": "..."}`, see `check_requires`. The same input gives the same bytes.
    """
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    revision = _revision(plain)
    header = dict(metadata or {}) | {
        "format_version": FORMAT_VERSION,
        "component": component,
        "config": dict(config),
        "config_sha256": _config_sha256(config),
        "revision": revision,
    }
    with replacing(path) as temporary:
        save_file(plain, temporary, metadata={_HEADER: json.dumps(header, sort_keys=True)})
    return revision


def load_component(path: Path, expected: str) -> Component:
    """Read the component `expected` from `path`; tensors on the CPU.

    Raises CheckpointError when the file is missing or damaged, holds another component, or was written by
    another format version.
    """
    header, tensors = _read(path)
    if header.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(f"{path} has format {header.get('format_version')}, this version reads {FORMAT_VERSION}")
    if header["component"] != expected:
        raise CheckpointError(f"{path} holds {header['component']!r}, not {expected!r}")
    config = header.pop("config")
    if _config_sha256(config) != header["config_sha256"] or _revision(tensors) != header["revision"]:
        raise CheckpointError(f"{path} is damaged: its content does not match its own hashes")
    return Component(config, tensors, header)


def check_requires(metadata: Mapping[str, Any], available: Mapping[str, str]) -> None:
    """Compare the revisions a component was trained with (`requires`) with those loaded beside it.

    Raises CheckpointError: a talker speaking another codec's codes would only produce noise.
    """
    for other, wanted in metadata.get("requires", {}).items():
        if available.get(other) != wanted:
            raise CheckpointError(
                f"{metadata['component']} was trained with {other} {wanted[:12]}, but {available.get(other, 'none')[:12]} is loaded"
            )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: restore it from the repository, or train it (`a2 train --help`)")
    try:
        with cast(Any, safe_open(check_readable(path), framework="pt")) as file:  # its type stubs say nothing
            entries: dict[str, str] = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except PermissionError as error:
        raise CheckpointError(f"{path} may not be read by this user: chmod a+r it") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from error
    if _HEADER not in entries:
        raise CheckpointError(f"{path} is a safetensors file, but was not written by a2llm")
    return json.loads(entries[_HEADER]), tensors


def _config_sha256(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _revision(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, dtypes, shapes and bytes, in the order of names."""
    whole = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        whole.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()
