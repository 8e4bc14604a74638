import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from support.models import gguf_mini
from tokenizers import Tokenizer

from a2llm.language.gguf_convert import GgufError, convert_gguf, unpermute


@pytest.fixture(scope="module")
def folder(mini_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("llama")
    convert_gguf(mini_gguf, out)
    return out


def test_tensors_come_back_as_hugging_face_names_and_lays_them_out(folder: Path) -> None:
    found, wanted = load_file(folder / "model.safetensors"), gguf_mini.hf_tensors()
    assert found.keys() == wanted.keys()
    for name, weight in wanted.items():
        assert found[name].dtype == np.float16
        np.testing.assert_allclose(found[name], weight, atol=3e-3 if "down_proj" in name else 3e-4)


def test_config_is_a_complete_llama_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert (config["hidden_size"], config["num_hidden_layers"], config["head_dim"]) == (64, 2, 16)
    assert (config["num_attention_heads"], config["num_key_value_heads"], config["intermediate_size"]) == (4, 2, 96)
    assert (config["rope_theta"], config["rms_norm_eps"], config["tie_word_embeddings"]) == (100_000.0, 1e-5, True)
    assert config["vocab_size"] == len(gguf_mini.vocabulary())
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (1, 2, 2)


def test_tokenizer_merges_splits_digits_and_knows_control_tokens(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("<|im_start|>hello world 12").tokens == [
        "<|im_start|>",
        "hello",
        "Ġw",
        "o",
        "r",
        "l",
        "d",
        "Ġ",
        "1",
        "2",
    ]
    text = "naïve — 你好 🙂\n"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert (folder / "chat_template.jinja").read_text() == "{{ messages }}"


def test_progress_rises_to_one(mini_gguf: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    convert_gguf(mini_gguf, tmp_path, shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_unpermute_undoes_the_export() -> None:
    weight = np.arange(16 * 3, dtype=np.float32).reshape(16, 3)
    np.testing.assert_array_equal(unpermute(gguf_mini.permute(weight, 2), 2), weight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "gemma"}, "architecture 'gemma'"),
        ({"pre": "llama-bpe"}, "pre-tokenizer 'llama-bpe'"),
        ({"extra": "blk.0.attn_sinks.weight"}, "attn_sinks"),
    ],
)
def test_another_model_is_refused_by_name(tmp_path: Path, change: dict[str, str], message: str) -> None:
    path = gguf_mini.write_mini_gguf(tmp_path / "other.gguf", **change)
    with pytest.raises(GgufError, match=message):
        convert_gguf(path, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"GGUF" + b"\x03\0\0\0"])
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(GgufError, match=r"broken\.gguf"):
        convert_gguf(path, tmp_path / "out")


def test_a_cut_file_is_refused(mini_gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(mini_gguf.read_bytes()[:-5000])
    with pytest.raises(GgufError, match=r"cut\.gguf"):
        convert_gguf(path, tmp_path / "out")
