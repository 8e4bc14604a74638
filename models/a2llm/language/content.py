"""Digest of a Llama folder's weights: of their content, so that copying and unpacking change nothing.

Files that we write say it in their header (`sha256`), which is read in no time; any other file is hashed whole.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from a2llm.files import check_readable

_ENTRY = "a2llm.sha256"


def header(tensors: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Metadata for `save_file`: the format's mark, and the digest over names, types, shapes and bytes."""
    whole = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        whole.update(np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).data)
    return {"format": "pt", _ENTRY: whole.hexdigest()}


def content(file: Path) -> str:
    """The digest of a safetensors file. Raises OSError where it cannot be read."""
    try:
        with cast(Any, safe_open(check_readable(file), framework="np")) as opened:  # its type stubs say nothing
            known: dict[str, str] = opened.metadata() or {}
    except SafetensorError:
        known = {}  # damaged: loading it reports that
    if _ENTRY in known:
        return known[_ENTRY]
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
