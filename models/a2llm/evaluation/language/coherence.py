"""Tells whether a response belongs to what was said: the untouched backbone finds, among ten questions, the one that it responds to.

A response is coherent if, to the backbone as it came (no adapter, so no judge of its own making), its words are likelier behind their
own question than behind all but one of nine others, and if it ends whole and repeats nothing. A response that fits everything ("I see.")
or nothing is no likelier behind its own question: by chance two in ten would pass, and the figure with the responses shuffled says so.
"""

import random
from collections.abc import Sequence

import torch

from a2llm.evaluation.language.rules import ends_whole, repeats
from a2llm.language.chat import ChatTemplate, Persona
from a2llm.language.runtime import Backbone
from a2llm.language.tokenizer import TextTokenizer
from a2llm.messages import Affect

OTHERS = 9
NEEDED = 2  # how far down its own question may stand: first of ten, or second behind a twin of its topic


class Coherence:
    """The judge. Rows of one batch: the response behind its own question and behind the others."""

    def __init__(self, untouched: Backbone, tokenizer: TextTokenizer, persona: Persona) -> None:
        self._backbone, self._tokenizer, self._persona = untouched, tokenizer, persona
        self._template = ChatTemplate(tokenizer)
        self._cache = untouched.new_cache(OTHERS + 1, 256)

    def coherent(self, questions: Sequence[str], responses: Sequence[str], seed: int = 0) -> list[bool]:
        """For each response, whether it belongs to its question."""
        rng = random.Random(seed)
        marks: list[bool] = []
        for index, response in enumerate(responses):
            others = rng.sample([question for at, question in enumerate(questions) if at != index], min(OTHERS, len(questions) - 1))
            scores = self._log_likelihoods([questions[index], *others], response)
            rank = int((scores[1:] > scores[0]).sum())
            marks.append(rank < NEEDED and ends_whole(response) and not repeats(response))
        return marks

    @torch.inference_mode()
    def _log_likelihoods(self, questions: Sequence[str], response: str) -> torch.Tensor:
        """Log likelihood of the response behind each question [Q]."""
        said = self._tokenizer.encode(response)
        prompts = [self._template.prompt(self._persona, question, Affect()) for question in questions]
        rows = [prompt + said for prompt in prompts]
        counts = torch.tensor([len(row) for row in rows] + [0] * (OTHERS + 1 - len(rows)))
        ids = torch.zeros(OTHERS + 1, int(counts.max()), dtype=torch.long)
        for at, row in enumerate(rows):
            ids[at, : len(row)] = torch.tensor(row)
        for row in range(OTHERS + 1):
            self._cache.truncate(row, 0)
        hidden = self._backbone.forward(ids, self._cache, counts)
        totals: list[float] = []
        for at, prompt in enumerate(prompts):
            states = hidden[at, len(prompt) - 1 : len(prompt) - 1 + len(said)]
            logs = torch.log_softmax(self._backbone.logits(states).float(), dim=-1)
            totals.append(float(logs[torch.arange(len(said)), torch.tensor(said)].sum()))
        return torch.tensor(totals)
