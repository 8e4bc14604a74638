from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from support.other_user import image_folders, needs_root, run_as_user

from a2llm import checkpoint
from a2llm.checkpoint import CheckpointError, check_requires, load_component, save_component

CONFIG = {"width": 8, "levels": [1, 2], "clock": {"audio_frame_hz": 20}}


def tensors() -> dict[str, torch.Tensor]:
    shared = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return {
        "weight": shared,
        "tied": shared,
        "view": shared.t(),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "empty": torch.zeros(0, 4),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "codec.safetensors"
    save_component(path, "audio_codec", CONFIG, tensors(), {"recipe": "debug", "steps": 3})
    return path


def test_what_was_saved_comes_back(path: Path) -> None:
    config, loaded, metadata = load_component(path, "audio_codec")
    assert config == CONFIG
    assert loaded.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    assert (metadata["recipe"], metadata["steps"], metadata["component"]) == ("debug", 3, "audio_codec")
    assert metadata["format_version"] == checkpoint.FORMAT_VERSION


def test_the_same_input_gives_the_same_bytes_and_revision(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    backwards = dict(reversed(tensors().items()))
    revision = save_component(again, "audio_codec", dict(reversed(CONFIG.items())), backwards, {"steps": 3, "recipe": "debug"})
    assert again.read_bytes() == path.read_bytes()
    assert revision == load_component(path, "audio_codec").metadata["revision"]


def test_any_changed_weight_changes_the_revision(path: Path, tmp_path: Path) -> None:
    other = tensors()
    other["count"] = torch.tensor(8)
    revision = save_component(tmp_path / "other.safetensors", "audio_codec", CONFIG, other)
    assert revision != load_component(path, "audio_codec").metadata["revision"]


def test_gradients_are_not_saved(tmp_path: Path) -> None:
    save_component(tmp_path / "x", "talker", {}, {"w": torch.nn.Parameter(torch.ones(2))})
    assert not load_component(tmp_path / "x", "talker").tensors["w"].requires_grad


def test_another_component_is_refused(path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds 'audio_codec', not 'talker'"):
        load_component(path, "talker")


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*talker\.safetensors: .*a2 train"):
        load_component(tmp_path / "talker.safetensors", "talker")


@needs_root
def test_a_private_file_is_not_called_missing() -> None:
    with image_folders() as (home, temporary):
        save_component(home / "x.safetensors", "talker", CONFIG, tensors())
        (home / "x.safetensors").chmod(0o600)
        program = f"load_component(Path('{home}/x.safetensors'), 'talker')"
        imports = "import traceback; from pathlib import Path; from a2llm.checkpoint import load_component"
        done = run_as_user(imports, program, home, temporary)
    assert "x.safetensors may not be read by this user: chmod a+r" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("keep", [0, 7, 40, -1])
def test_a_cut_file_is_refused(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged"):
        load_component(path, "audio_codec")


def test_a_flipped_bit_is_refused(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="does not match its own hashes"):
        load_component(path, "audio_codec")


def test_a_changed_config_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(rb"\"width\": 8", rb"\"width\": 9"))
    with pytest.raises(CheckpointError, match="does not match its own hashes"):
        load_component(path, "audio_codec")


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="not written by a2llm"):
        load_component(tmp_path / "foreign", "talker")


def test_another_format_version_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT_VERSION", 2)
    with pytest.raises(CheckpointError, match="has format 1, this version reads 2"):
        load_component(path, "audio_codec")


def test_an_interrupted_save_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def interrupted(_: object, file: str, **__: object) -> None:
        Path(file).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_component(path, "audio_codec", CONFIG, tensors())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_required_revisions_must_match() -> None:
    metadata = {"component": "talker", "requires": {"audio_codec": "a" * 64}}
    check_requires(metadata, {"audio_codec": "a" * 64, "motion_codec": "b"})
    with pytest.raises(CheckpointError, match="talker was trained with audio_codec aaaaaaaaaaaa, but bbb is loaded"):
        check_requires(metadata, {"audio_codec": "bbb"})
    with pytest.raises(CheckpointError, match="but none is loaded"):
        check_requires(metadata, {})


def test_the_file_is_plain_safetensors(path: Path) -> None:
    with safe_open(path, framework="np") as file:
        np.testing.assert_array_equal(file.get_tensor("weight"), np.arange(12, dtype=np.float32).reshape(3, 4))
