"""Write a Llama-type backbone as the folder that `Llama.from_folder` reads. The inverse, nothing more."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from a2llm.files import replacing
from a2llm.language.config import LlamaConfig
from a2llm.language.llama import Llama


def save_llama(model: Llama, folder: Path) -> None:
    """Store config.json and model.safetensors (the model's own dtype) in `folder`, made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(_hugging_face_config(model.config), indent=2) + "\n")
    state = {_checkpoint_name(k): v.detach().contiguous() for k, v in model.state_dict().items()}
    if model.config.tie_embeddings:
        del state["lm_head.weight"]
    with replacing(folder / "model.safetensors") as temporary:
        save_file(state, str(temporary), metadata={"format": "pt"})


def random_llama(config: LlamaConfig, seed: int = 0) -> Llama:
    """A backbone of any size with random weights: for tests, and to try an architecture without its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Llama(config).eval()
        torch.nn.init.normal_(model.embed_tokens.weight, std=config.hidden_size**-0.5)
    return model


def _checkpoint_name(name: str) -> str:
    return name if name.startswith("lm_head") else f"model.{name}"


def _hugging_face_config(c: LlamaConfig) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "vocab_size": c.vocab_size,
        "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size,
        "num_hidden_layers": c.num_layers,
        "num_attention_heads": c.num_heads,
        "num_key_value_heads": c.num_kv_heads,
        "head_dim": c.head_dim,
        "rope_theta": c.rope_theta,
        "rms_norm_eps": c.norm_eps,
        "tie_word_embeddings": c.tie_embeddings,
        "max_position_embeddings": c.max_positions,
    }
