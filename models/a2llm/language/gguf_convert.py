"""GGUF -> a Llama folder: config.json, model.safetensors (float16), tokenizer.json, chat_template.jinja.

Reads files of the `llama` architecture with a byte-level BPE vocabulary. It is not a quantizer: weights
are expanded, never re-quantized. Tensor names and layouts of the result are those of Hugging Face's Llama.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, dequantize
from gguf.gguf_reader import ReaderTensor
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from a2llm.cache import Progress
from a2llm.files import replacing
from a2llm.language.content import header

_CONTROL_TOKEN = 3  # tokenizer.ggml.token_type of special tokens
_WHOLE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class GgufError(ValueError):
    """The file is not one this converter understands; the message says why."""


def convert_gguf(src: Path, out: Path, on_progress: Progress | None = None) -> None:
    """Write `src` as a Llama folder into `out` (made if missing).

    Raises GgufError for another architecture, tokenizer or tensor name, or a damaged file.
    """
    on_progress = on_progress or (lambda share: None)
    reader = _open(src)
    fields = _Fields(reader)
    config = llama_config(fields)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / "config.json", config)
    build_tokenizer(fields).save(str(out / "tokenizer.json"))
    (out / "chat_template.jinja").write_text(fields.get("tokenizer.chat_template", ""), encoding="utf-8")
    _write_json(out / "tokenizer_config.json", _tokenizer_config(fields))
    tensors = dict(_convert_tensors(reader, config, on_progress))
    with replacing(out / "model.safetensors") as temporary:
        save_file(tensors, str(temporary), metadata=header(tensors))
    on_progress(1.0)


class _Fields:
    """The file's key-value header, decoded when asked for (the vocabulary is large)."""

    def __init__(self, reader: GGUFReader) -> None:
        self._reader = reader
        self.tied = all(t.name != "output.weight" for t in reader.tensors)

    def __getitem__(self, key: str) -> Any:
        field = self._reader.get_field(key)
        if field is None:
            raise GgufError(f"the GGUF file lacks {key!r}")
        return field.contents()

    def get(self, key: str, default: Any) -> Any:
        return default if self._reader.get_field(key) is None else self[key]


def llama_config(fields: _Fields) -> dict[str, Any]:
    """Returns the header as a Hugging Face Llama `config.json`. Raises GgufError for another architecture."""
    if (arch := fields["general.architecture"]) != "llama":
        raise GgufError(f"architecture {arch!r} is not supported, only 'llama'")
    heads = fields["llama.attention.head_count"]
    hidden = fields["llama.embedding_length"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": fields["llama.feed_forward_length"],
        "num_hidden_layers": fields["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": fields.get("llama.attention.head_count_kv", heads),
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "max_position_embeddings": fields["llama.context_length"],
        "rms_norm_eps": _short(fields["llama.attention.layer_norm_rms_epsilon"]),
        "rope_theta": _short(fields.get("llama.rope.freq_base", 10_000.0)),
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": fields.tied,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "pad_token_id": fields.get("tokenizer.ggml.padding_token_id", None),
        "dtype": "float16",
    }


def build_tokenizer(fields: _Fields) -> Tokenizer:
    """Builds a byte-level BPE tokenizer from the file's tokens and merges; control tokens become special tokens. Raises GgufError for
    another kind."""
    if (kind := fields["tokenizer.ggml.model"]) != "gpt2":
        raise GgufError(f"tokenizer {kind!r} is not supported, only byte-level BPE ('gpt2')")
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ", 1)) for pair in fields["tokenizer.ggml.merges"]]
    vocab = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = _pre_tokenizer(fields.get("tokenizer.ggml.pre", "gpt-2"))
    tokenizer.decoder = decoders.ByteLevel()
    types = fields["tokenizer.ggml.token_type"]
    special = [t for t, kind in zip(tokens, types, strict=True) if kind == _CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in special])
    return tokenizer


def unpermute(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """GGUF interleaves the two rotary halves of each head's rows; put the halves back. [rows, cols] -> same."""
    rows, cols = weight.shape
    paired = weight.reshape(heads, rows // heads // 2, 2, cols)
    return paired.swapaxes(1, 2).reshape(rows, cols)


def _open(src: Path) -> GGUFReader:
    try:
        return GGUFReader(str(src))
    except (ValueError, IndexError, KeyError) as error:
        raise GgufError(f"{src} is not a readable GGUF file: {error}") from error


def _convert_tensors(reader: GGUFReader, config: dict[str, Any], on_progress: Progress) -> Iterator[tuple[str, NDArray[np.float16]]]:
    for done, tensor in enumerate(reader.tensors):
        on_progress(done / (len(reader.tensors) + 1))  # + 1: writing the file is the last share
        yield _hf_name(tensor.name), _expand(tensor, config)


def _expand(tensor: ReaderTensor, config: dict[str, Any]) -> NDArray[np.float16]:
    weight = dequantize(tensor.data, tensor.tensor_type)
    if tensor.name.endswith("attn_q.weight"):
        weight = unpermute(weight, config["num_attention_heads"])
    elif tensor.name.endswith("attn_k.weight"):
        weight = unpermute(weight, config["num_key_value_heads"])
    return np.ascontiguousarray(weight, dtype=np.float16)


def _hf_name(name: str) -> str:
    if name in _WHOLE:
        return _WHOLE[name]
    match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if not match or match[2] not in _IN_BLOCK:
        raise GgufError(f"tensor {name!r} does not belong to a plain Llama")
    return f"model.layers.{match[1]}.{_IN_BLOCK[match[2]]}.weight"


def _pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if name == "gpt-2":
        return byte_level
    if name == "smollm":  # digits one by one, then GPT-2's pattern
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    raise GgufError(f"pre-tokenizer {name!r} is not supported, only 'smollm' and 'gpt-2'")


def _tokenizer_config(fields: _Fields) -> dict[str, Any]:
    tokens = fields["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[fields["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[fields["tokenizer.ggml.eos_token_id"]],
        "clean_up_tokenization_spaces": False,
        "model_max_length": fields["llama.context_length"],
    }


def _short(value: float) -> float:
    """The shortest decimal that is the same float32: 9.99999974e-06 -> 1e-05."""
    return float(str(np.float32(value)))


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
