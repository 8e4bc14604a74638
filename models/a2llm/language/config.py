"""Shape of a Llama-type backbone, read from the `config.json` that sits beside its weights."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LlamaConfig:
    """Sizes with the field's names; defaults are SmolLM2-135M."""

    vocab_size: int = 49_152
    hidden_size: int = 576
    intermediate_size: int = 1_536
    num_layers: int = 30
    num_heads: int = 9
    num_kv_heads: int = 3
    rope_theta: float = 100_000.0
    norm_eps: float = 1e-5
    tie_embeddings: bool = True
    max_positions: int = 8_192
    head_dim: int = 64

    def __post_init__(self) -> None:
        if self.num_heads % self.num_kv_heads:
            raise ValueError("num_heads must be a multiple of num_kv_heads")

    def layers_at(self, shares: Sequence[float]) -> tuple[int, ...]:
        """Numbers of the layers behind which these shares of the depth lie; 1 is the last.

        Raises ValueError for shares that are not above 0, do not rise or do not end with 1.
        """
        if not shares or shares[-1] != 1.0 or shares[0] <= 0.0 or list(shares) != sorted(set(shares)):
            raise ValueError(f"depths must rise, from above 0 to 1, not {tuple(shares)}")
        layers = tuple(max(1, round(share * self.num_layers)) for share in shares)
        if len(set(layers)) != len(layers):
            raise ValueError(f"{self.num_layers} layers are too few for the depths {tuple(shares)}")
        return layers

    @classmethod
    def from_folder(cls, folder: Path) -> "LlamaConfig":
        """Read a Hugging Face style folder. Raises ValueError for anything that is not Llama-type."""
        raw = json.loads((folder / "config.json").read_text())
        if raw.get("model_type", "llama") != "llama":
            raise ValueError(f"{folder}: model_type {raw['model_type']!r} is not a Llama-type backbone")
        heads = raw["num_attention_heads"]
        return cls(
            vocab_size=raw["vocab_size"],
            hidden_size=raw["hidden_size"],
            intermediate_size=raw["intermediate_size"],
            num_layers=raw["num_hidden_layers"],
            num_heads=heads,
            num_kv_heads=raw.get("num_key_value_heads", heads),
            rope_theta=raw.get("rope_theta", 10_000.0),
            norm_eps=raw.get("rms_norm_eps", 1e-5),
            tie_embeddings=raw.get("tie_word_embeddings", False),
            max_positions=raw.get("max_position_embeddings", 8_192),
            head_dim=raw.get("head_dim") or raw["hidden_size"] // heads,
        )
