"""Has the user finished? The backbone's own judgement on a running transcript.

Not a voice activity detector: silence and noise are for others, this reads words alone.
"""

import math

import torch

from a2llm.language.chat import ChatTemplate, Persona
from a2llm.language.runtime import Backbone
from a2llm.language.tokenizer import TextTokenizer

_ENDINGS = (".", "?", "!", " (")  # sentence marks, and the voice note that only ever stands behind a whole turn
_TRAILING = " .,?!;:-\u2013\u2014\u2026"
_LONGEST = 160  # tokens: only the end of a long turn decides


def common_prefix(first: list[int], second: list[int]) -> int:
    """How many ids two lists begin with in common."""
    for place, (one, two) in enumerate(zip(first, second, strict=False)):
        if one != two:
            return place
    return min(len(first), len(second))


class TurnEnd:
    """Reads on a cache row of its own, which keeps what two transcripts have in common."""

    def __init__(self, backbone: Backbone, tokenizer: TextTokenizer, persona: Persona) -> None:
        self._backbone, self._tokenizer, self._template = backbone, tokenizer, ChatTemplate(tokenizer)
        self._known = self._template.opening(persona.instructions)
        self._cache = backbone.new_cache(1, len(self._known) + _LONGEST + 8)
        self._held: list[int] = []
        self._ends = [tokenizer.turn_end, *(tokenizer.encode(mark)[0] for mark in _ENDINGS)]

    @torch.inference_mode()
    def probability(self, text: str) -> float:
        """P in 0..1 that a turn ends behind `text`: of the end mark, or of a mark that closes a sentence.

        Marks at the end of `text` are left out: a transcriber writes them behind any pause.
        """
        said = text.strip().rstrip(_TRAILING)
        if not said:
            return 0.0
        words = self._template.user_so_far(said)[len(self._template.user_so_far("")) :][-_LONGEST:]
        logits = self._backbone.logits(self._read(self._known + words))
        chances = torch.softmax(logits.float(), -1)[self._ends]
        return min(1.0, math.fsum(chances.tolist()))

    def _read(self, prompt: list[int]) -> torch.Tensor:
        """Hidden state [D] behind the prompt."""
        kept = min(common_prefix(self._held, prompt), len(prompt) - 1)
        self._cache.truncate(0, kept)
        hidden = self._backbone.forward(torch.tensor([prompt[kept:]]), self._cache)
        self._held = prompt
        return hidden[0, -1]
