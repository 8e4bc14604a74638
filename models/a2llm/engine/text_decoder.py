"""The reading half of a step: one pass over the backbone for many responses, and the next token of each that has read all it had."""

# pyright: reportUnknownMemberType=false
# torch.from_numpy and tolist are untyped.

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch

from a2llm.engine.parts import Parts, TextSampling
from a2llm.engine.plan import Chunk
from a2llm.engine.response import Response
from a2llm.engine.slot import Slot
from a2llm.language.sampling import sample_top_p
from a2llm.layers.device import upload
from a2llm.messages import Affect


class TextDecoder:
    """`cache` is the engine's, a row for each slot."""

    def __init__(self, parts: Parts, cache: Any, sampling: TextSampling) -> None:
        self._backbone, self._affect_head, self._cache, self._sampling = parts.backbone, parts.affect_head, cache, sampling

    @property
    def tokens_at_once(self) -> int:
        """Most tokens of one row in one pass."""
        return self._backbone.tokens_at_once

    def forward(self, feeds: Sequence[tuple[Slot, list[int]]]) -> torch.Tensor:
        """Read ids into n slots; states [n, T, S], T the longest."""
        counts = torch.zeros(self._cache.rows, dtype=torch.long)
        ids = torch.zeros(self._cache.rows, max(len(feed) for _, feed in feeds), dtype=torch.long)
        for slot, feed in feeds:
            counts[slot.row] = len(feed)
            ids[slot.row, : len(feed)] = torch.tensor(feed)
        states = self._backbone.forward(ids, self._cache, counts)
        states = states[upload(torch.tensor([slot.row for slot, _ in feeds]), states.device)]
        for row, (slot, feed) in zip(states, feeds, strict=True):
            places = slot.places_wanted(feed)
            slot.note_read(feed, row[places].cpu().numpy() if places else None)
        return states

    def read(self, chunks: Sequence[Chunk]) -> None:
        """Read a chunk of each response; those that have read all they had draw a token, or take the next given word."""
        whole = [chunk.response for chunk in chunks if chunk.tokens == len(chunk.response.text.unread)]
        parts = [chunk for chunk in chunks if chunk.tokens < len(chunk.response.text.unread)]
        feeds = [(response, response.text.unread) for response in whole]
        feeds += [(response, response.text.unread[:tokens]) for response, tokens in parts]
        states = self.forward([(response.conversation.slot, feed) for response, feed in feeds])
        for response, tokens in parts:
            response.text.drop_read(tokens)
        if whole:
            self._decode(whole, states[: len(whole)])

    def _decode(self, responses: Sequence[Response], read: torch.Tensor) -> None:
        """Draw one token for each from the states [n, T, S] of what it has read."""
        ends = upload(torch.tensor([len(r.text.unread) - 1 for r in responses]), read.device)
        last = read[torch.arange(len(responses), device=read.device), ends]
        width = max((len(r.text.unread) for r in responses if r.begun), default=0)  # of a prompt, only the last state counts
        for response, states in zip(responses, torch.cat((last[:, None], read[:, :width]), 1).cpu(), strict=True):
            if response.begun:
                response.note_read(states[1:].numpy())
            else:
                response.begin(self._affect(response, states[0, -self._backbone.config.hidden_size :]))
        self._take(responses, last)

    def _take(self, responses: Sequence[Response], last: torch.Tensor) -> None:
        """Draw a token for each that finds its words itself, from the last states [n, S]."""
        rows = [row for row, response in enumerate(responses) if response.text.draws]
        if not rows:
            return
        drawing, logits = [responses[row] for row in rows], self._backbone.logits(last[rows] if len(rows) < len(responses) else last)
        self._ban(drawing, logits)
        for response, token in zip(drawing, self._draw(drawing, logits), strict=True):
            response.take(token)

    def _affect(self, response: Response, hidden: torch.Tensor) -> Affect | None:
        """The options' affect. Without it None, if the talker infers one from the words, else the one that the affect head reads at the
        prompt's end [D], the persona's where that is neutral; a response that goes on keeps what was chosen."""
        options = response.options
        if options.affect is not None or (response.speaks and response.talker.config.infers_affect):
            return options.affect
        if options.resume and options.resume.affect:
            return options.resume.affect
        chosen = self._affect_head.choose(hidden)
        return chosen if chosen.index else response.conversation.persona.affect_baseline or Affect()

    def _ban(self, responses: Sequence[Response], logits: torch.Tensor) -> None:
        """Leave in the logits [n, V] the ids that may come next."""
        banned = [response.text.banned(logits.shape[1]) for response in responses]
        rows = np.repeat(np.arange(len(responses)), [len(ids) for ids in banned])
        if len(rows):
            places = upload(torch.from_numpy(np.stack((rows, np.concatenate(banned)))), logits.device)
            logits[places[0], places[1]] = -torch.inf

    def _draw(self, responses: Sequence[Response], logits: torch.Tensor) -> list[int]:
        """One token for each from logits [n, V]."""
        uniforms = [response.text.uniform() for response in responses]
        temperatures = [self._temperature(response) for response in responses]
        top_ps = [self._sampling.top_p if r.options.top_p is None else r.options.top_p for r in responses]
        draws = upload(torch.tensor([uniforms, temperatures, top_ps], dtype=torch.float32), logits.device)
        return cast("list[int]", sample_top_p(logits, draws[0], draws[1], draws[2]).tolist())

    def _temperature(self, response: Response) -> float:
        """0, the likeliest token, for a call."""
        if response.text.call is not None:
            return 0.0
        chosen = response.options.temperature
        return self._sampling.temperature if chosen is None else chosen
