"""Hidden states for the talker's training: what the frozen backbone holds at the end of every word of
every response, read by the same runtime that serves. Sharded, atomic, resumable.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from a2llm.affect import Affect
from a2llm.data.shards import save_arrays
from a2llm.language.chat import ChatTemplate, Persona, personas
from a2llm.language.runtime import Backbone
from a2llm.language.tokenizer import TextTokenizer

SHARD = 512
BATCH = 16
CAPACITY = 256  # tokens of a prompt and its response


def word_ends(tokenizer: TextTokenizer, ids: list[int]) -> list[int]:
    """Index of the last token of every word; a word begins where a token begins with a space."""
    starts = [i for i, token in enumerate(ids) if i == 0 or tokenizer.decode([token])[:1].isspace()]
    return [*(i - 1 for i in starts[1:]), len(ids) - 1]


class HiddenReader:
    """Reads responses behind their prompts; a shared prompt is read once."""

    def __init__(self, backbone: Backbone, tokenizer: TextTokenizer, persona: Persona | None = None) -> None:
        self.backbone, self.tokenizer = backbone, tokenizer
        self.template = ChatTemplate(tokenizer)
        self.persona = persona or next(iter(personas().values()))
        self.cache = backbone.new_cache(BATCH, CAPACITY)
        self.prefix = backbone.new_cache(1, CAPACITY)
        self._prefix_key: tuple[int, ...] = ()

    def read(self, samples: list[dict[str, object]]) -> list[np.ndarray]:
        """Hidden states [W, D] float16 of every response, W words each."""
        order = sorted(range(len(samples)), key=lambda i: (str(samples[i]["question"]), str(samples[i]["voice"])))
        out: list[np.ndarray] = [np.zeros((0, 0))] * len(samples)
        for start in range(0, len(order), BATCH):
            picks = order[start : start + BATCH]
            for index, found in zip(picks, self._batch([samples[i] for i in picks]), strict=True):
                out[index] = found
        return out

    def _prompt(self, sample: dict[str, object]) -> list[int]:
        return self.template.prompt(self.persona, str(sample["question"]), Affect.heard(str(sample["voice"])))

    def _batch(self, samples: list[dict[str, object]]) -> list[np.ndarray]:
        prompts = [self._prompt(s) for s in samples]
        responses = [self.tokenizer.encode(str(s["response"])) for s in samples]
        shared = len({tuple(p) for p in prompts}) == 1
        for row in range(BATCH):
            self.cache.truncate(row, 0)
        if shared:
            self._share(prompts[0], len(samples))
            prompts = [[] for _ in prompts]
        hidden = self._forward([p + a for p, a in zip(prompts, responses, strict=True)])
        return [
            hidden[row, [len(p) + e for e in word_ends(self.tokenizer, a)]].half().numpy()
            for row, (p, a) in enumerate(zip(prompts, responses, strict=True))
        ]

    def _share(self, prompt: list[int], rows: int) -> None:
        if self._prefix_key != tuple(prompt):
            self.prefix.truncate(0, 0)
            self.backbone.forward(torch.tensor([prompt]), self.prefix)
            self._prefix_key = tuple(prompt)
        for row in range(rows):
            self.cache.copy_row(row, self.prefix, 0)

    def _forward(self, rows: list[list[int]]) -> torch.Tensor:
        counts = torch.tensor([len(r) for r in rows] + [0] * (BATCH - len(rows)))
        ids = torch.zeros(BATCH, int(counts.max()), dtype=torch.long)
        for row, values in enumerate(rows):
            ids[row, : len(values)] = torch.tensor(values)
        return self.backbone.forward(ids, self.cache, counts).cpu()


def build_hidden(
    samples: list[dict[str, object]], reader: HiddenReader, out: Path, on_progress: Callable[[int, int], None] | None = None
) -> None:
    """Write hidden-*.npz for all samples into `out`; finished shards are kept."""
    out.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(samples), SHARD):
        file = out / f"hidden-{start // SHARD:04d}.npz"
        part = samples[start : start + SHARD]
        if not file.exists():
            states = reader.read(part)
            save_arrays(
                file,
                {
                    "samples": np.arange(start, start + len(part)),
                    "hidden": np.concatenate(states),
                    "counts": np.array([len(s) for s in states]),
                },
            )
        if on_progress:
            on_progress(min(start + SHARD, len(samples)), len(samples))
