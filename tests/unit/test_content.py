"""The digest of a backbone's weights: of what is inside, not of when or by whom it was written."""

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from a2llm.language.content import content, header
from a2llm.language.gguf_convert import convert_gguf
from a2llm.language.runtime import fingerprint


@pytest.fixture(scope="module")
def folder(mini_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("content") / "llama"
    convert_gguf(mini_gguf, out)
    return out


def test_converting_again_gives_the_same_key_at_any_time(folder: Path, mini_gguf: Path, tmp_path: Path) -> None:
    convert_gguf(mini_gguf, tmp_path)
    os.utime(tmp_path / "model.safetensors", (1_700_000_000, 1_700_000_000))
    assert fingerprint(tmp_path, None) == fingerprint(folder, None)


def test_the_header_says_what_is_inside(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    assert content(folder / "model.safetensors") == header(tensors)["a2llm.sha256"]
    name = sorted(tensors)[0]
    other = tensors | {name: tensors[name] + np.float16(1)}
    assert header(other) != header(tensors) != header({f"{key}x": value for key, value in tensors.items()})


def test_a_file_of_others_is_read_whole(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a": np.zeros(8, np.float32)}, file)
    first = content(file)
    os.utime(file, (1, 1))
    assert content(file) == first
    save_file({"a": np.full(8, 1, np.float32)}, file)  # the same size
    assert content(file) != first


def test_a_changed_config_is_another_key(folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    before = fingerprint(tmp_path, None)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text().replace("1e-05", "1e-06"))
    assert fingerprint(tmp_path, None) != before
