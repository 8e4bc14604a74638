"""Offline generation for many prompts at once: used to build data and to judge the backbone.

Live conversations do not come here; they are stepped by the conversation and the engine.
"""

import torch
from torch import Tensor

from a2llm.language.llama import Llama
from a2llm.language.sampling import sample_top_p


def pad_right(rows: list[list[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids [B, T] padded with 0, and lengths [B]."""
    lengths = torch.tensor([len(r) for r in rows], device=device)
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
    return ids.to(device), lengths


@torch.inference_mode()
def generate(
    model: Llama, prompts: list[list[int]], stop: int, max_tokens: int, temperature: float, top_p: float, generator: torch.Generator
) -> list[list[int]]:
    """Sample a continuation of every prompt until `stop`; one without it within max_tokens is cut."""
    device = model.embed_tokens.weight.device
    ids, lengths = pad_right(prompts, device)
    cache = model.new_cache(len(prompts), ids.shape[1] + max_tokens)
    hidden = model(ids, cache, lengths)
    hidden = hidden[torch.arange(len(prompts), device=device), lengths - 1]
    tokens, done = [], torch.zeros(len(prompts), dtype=torch.bool, device=device)
    for _ in range(max_tokens):
        uniforms = torch.rand(len(prompts), generator=generator, device=device)
        token = sample_top_p(model.logits(hidden), uniforms, temperature, top_p)
        done |= token == stop
        tokens.append(torch.where(done, stop, token))
        if bool(done.all()):
            break
        hidden = model(token[:, None], cache)[:, 0]
    columns = torch.stack(tokens, dim=1).tolist()
    return [row[: row.index(stop)] if stop in row else row for row in columns]
