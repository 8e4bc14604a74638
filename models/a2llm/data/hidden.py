"""The backbone's states for the talker's training: at the end of every word of every response, and of the user's words before it.

The conversation is rendered and read as it is when serving, by the same runtime. Sharded, atomic, resumable; each shard's states lie in
a file of their own, so that training maps them instead of loading them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from a2llm.affect import Affect
from a2llm.data.shards import save_array, save_arrays
from a2llm.engine.prompt import Prompt, build_prompt
from a2llm.language.chat import ChatTemplate, Persona, personas
from a2llm.language.runtime import Backbone
from a2llm.language.tokenizer import TextTokenizer
from a2llm.language.word_stream import WordStream
from a2llm.messages import AssistantTurn, Item, UserTurn

SHARD = 512
BATCH = 16
CAPACITY = 512  # tokens of a conversation with its response
RESPONSE_TOKENS = 128  # of these, at most

Sample = Mapping[str, Any]  # a line of text.jsonl


@dataclass(frozen=True)
class WordStates:
    """States of one response's words [W, S], and of the words [Q, S] that it responds to, at most 32; float16."""

    words: np.ndarray
    user: np.ndarray


def conversation(sample: Sample) -> list[Item]:
    """The turns before a sample's response."""
    items = list[Item]()
    for turn in sample.get("earlier", ()):
        items += [UserTurn(turn["user"], Affect.heard(turn["voice"])), AssistantTurn(turn["response"])]
    return [*items, UserTurn(str(sample["question"]), Affect.heard(str(sample["voice"])))]


def spoken_ends(tokenizer: TextTokenizer, ids: list[int]) -> list[int]:
    """Place of the token from which every spoken word takes its states, as `WordStream` says it while serving."""
    stream = WordStream(tokenizer)
    words = [word for place, token in enumerate(ids) for word in stream.push(token, np.array(place))]
    return [int(place) for _, place in (*words, *stream.finish())]


class StateReader:
    """Reads responses behind their conversations; a prompt that a batch shares is read once."""

    def __init__(self, backbone: Backbone, tokenizer: TextTokenizer, persona: Persona | None = None) -> None:
        self.backbone, self.tokenizer = backbone, tokenizer
        self.template = ChatTemplate(tokenizer)
        self.persona = persona or next(iter(personas().values()))
        self.cache = backbone.new_cache(BATCH, CAPACITY)
        self.prefix = backbone.new_cache(1, CAPACITY)
        self._prefix: tuple[tuple[int, ...], torch.Tensor] = (), torch.zeros(0)

    def read(self, samples: Sequence[Sample]) -> list[WordStates]:
        """States of every response, W words each, and of the user's words before it."""
        prompts = [self.prompt(sample) for sample in samples]
        order = sorted(range(len(samples)), key=lambda i: prompts[i].ids)
        out: dict[int, WordStates] = {}
        for start in range(0, len(order), BATCH):
            picks = order[start : start + BATCH]
            out |= zip(picks, self._batch([prompts[i] for i in picks], [samples[i] for i in picks]), strict=True)
        return [out[index] for index in range(len(samples))]

    def prompt(self, sample: Sample) -> Prompt:
        """The conversation up to where the response begins, as a replica reads it."""
        persona = personas().get(str(sample.get("persona", "")), self.persona)
        return build_prompt(self.template, persona.instructions, conversation(sample), (), CAPACITY - RESPONSE_TOKENS)

    def _batch(self, prompts: list[Prompt], samples: list[Sample]) -> list[WordStates]:
        responses = [self.tokenizer.encode(str(s["response"]))[:RESPONSE_TOKENS] for s in samples]
        for row in range(BATCH):
            self.cache.truncate(row, 0)
        if len({tuple(prompt.ids) for prompt in prompts}) == 1:
            before = self._share(prompts[0].ids, len(samples))
            behind = self._forward(responses)
            rows = [(before, behind[row]) for row in range(len(samples))]
        else:
            read = self._forward([prompt.ids + response for prompt, response in zip(prompts, responses, strict=True)])
            rows = [(read[row], read[row, len(prompt.ids) :]) for row, prompt in enumerate(prompts)]
        found = zip(rows, prompts, responses, strict=True)
        return [WordStates(_half(behind[spoken_ends(self.tokenizer, r)]), _half(before[list(p.heard)])) for (before, behind), p, r in found]

    def _share(self, prompt: list[int], rows: int) -> torch.Tensor:
        """Puts the prompt into all rows of the cache; its states [T, S]."""
        if self._prefix[0] != tuple(prompt):
            self.prefix.truncate(0, 0)
            self._prefix = tuple(prompt), self.backbone.forward(torch.tensor([prompt]), self.prefix)[0].cpu()
        for row in range(rows):
            self.cache.copy_row(row, self.prefix, 0)
        return self._prefix[1]

    def _forward(self, rows: list[list[int]]) -> torch.Tensor:
        counts = torch.tensor([len(r) for r in rows] + [0] * (BATCH - len(rows)))
        ids = torch.zeros(BATCH, int(counts.max()), dtype=torch.long)
        for row, values in enumerate(rows):
            ids[row, : len(values)] = torch.tensor(values)
        return self.backbone.forward(ids, self.cache, counts).cpu()


def _half(states: torch.Tensor) -> np.ndarray:
    most = float(np.finfo(np.float16).max)
    return states.clamp(-most, most).half().numpy()


def build_hidden(samples: Sequence[Sample], reader: StateReader, out: Path, on_progress: Callable[[int, int], None] | None = None) -> None:
    """Write hidden-*.npy and hidden-*.npz for all samples into `out`; finished shards, those with both, are kept."""
    out.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(samples), SHARD):
        file = out / f"hidden-{start // SHARD:04d}.npz"
        part = samples[start : start + SHARD]
        if not file.exists():
            found = reader.read(part)
            save_array(file.with_suffix(".npy"), np.concatenate([part for states in found for part in (states.user, states.words)]))
            counts = np.array([[len(states.user), len(states.words)] for states in found])
            save_arrays(file, {"samples": np.arange(start, start + len(part)), "counts": counts})
        if on_progress:
            on_progress(min(start + SHARD, len(samples)), len(samples))


def load_hidden(folder: Path) -> dict[int, WordStates]:
    """States of every text, by its line number; mapped from disk, float16."""
    out: dict[int, WordStates] = {}
    for file in sorted(folder.glob("hidden-*.npz")):
        states = np.load(file.with_suffix(".npy"), mmap_mode="r")
        with np.load(file) as data:
            cuts = np.cumsum(data["counts"].reshape(-1))
            parts = np.split(states, cuts[:-1])
            for index, sample in enumerate(data["samples"].tolist()):
                out[sample] = WordStates(parts[2 * index + 1], parts[2 * index])
    return out
