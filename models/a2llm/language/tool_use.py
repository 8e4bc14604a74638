"""Whether a response is a tool call, and of which tool: the client's choice, or the backbone's judgement.

A model of this size writes a call's first token with a chance of about 1e-6 whatever was asked, so the chance of a call
is taken from the other side (Bayes): how much likelier the user's words are from someone who wants the tool than from
someone who talks. Best effort; with `required` the likeliest tool is called whatever was said. Not the decoding of the
call itself: `constrained` does that.
"""

from collections.abc import Sequence

import torch

from a2llm.language.chat import ChatTemplate
from a2llm.language.constrained import CallGrammar, CallStream
from a2llm.language.generate import pad_right
from a2llm.language.runtime import Backbone
from a2llm.language.tokenizer import TextTokenizer
from a2llm.language.tools import DESCRIPTION_CHARS
from a2llm.messages import AUTO, Item, Tool, UserTurn

TALK = "The user makes conversation."
CALL_MARGIN = 1.5  # nats by which wanting a tool must explain the words better than talking does
_LONGEST = 96  # tokens of what the user said; the end counts
_SETTING_CHARS = 600  # of the instructions, and of what a tool is for: all rows are read at once, while no other response is served


class ToolUse:
    """Opens the call that a response shall be."""

    def __init__(self, backbone: Backbone, tokenizer: TextTokenizer, template: ChatTemplate) -> None:
        self.judge = ToolJudge(backbone, template)
        self._grammar = CallGrammar(tokenizer, backbone.config.vocab_size)

    def open_call(self, tools: Sequence[Tool], choice: str, instructions: str, items: Sequence[Item]) -> CallStream | None:
        """A call of one of `tools`; None where the response shall be spoken, as it always is behind a result.

        Raises ValueError for a schema that cannot be kept to, whether it would be called or not.
        """
        calls = {tool.name: self._grammar.open(tool) for tool in tools}
        words = next((item.text for item in reversed(items) if isinstance(item, UserTurn)), "")
        if choice != AUTO:
            return calls[self.judge.best(tools, words).name]
        asked = bool(items) and isinstance(items[-1], UserTurn)
        wanted = self.judge.wanted(tools, instructions, words) if asked else None
        return calls[wanted.name] if wanted else None


class ToolJudge:
    """Reads the user's words behind every possibility at once, in a cache of its own that keeps the possibilities."""

    def __init__(self, backbone: Backbone, template: ChatTemplate) -> None:
        self._backbone, self._template = backbone, template
        self._opening = template.user_so_far("")
        self._settings: list[str] = []  # what the cache's rows hold
        self._ends, self._last, self._cache = torch.zeros(0), torch.zeros(0), None

    def wanted(self, tools: Sequence[Tool], instructions: str, text: str) -> Tool | None:
        """The tool that the user's words ask for; None where they rather talk."""
        scores = self._scores([*(_use_of(tool) for tool in tools), TALK, instructions[:_SETTING_CHARS]], text)
        best = max(range(len(tools)), key=lambda i: scores[i])
        return tools[best] if scores[best] - max(scores[-2:]) > CALL_MARGIN else None

    def best(self, tools: Sequence[Tool], text: str) -> Tool:
        """The tool that suits the words most."""
        scores = self._scores([_use_of(tool) for tool in tools], text) if len(tools) > 1 else [0.0]
        return tools[max(range(len(tools)), key=lambda i: scores[i])]

    @torch.inference_mode()
    def _scores(self, settings: list[str], text: str) -> list[float]:
        """log P(the whole user turn) after each of n settings."""
        words = torch.tensor([*self._template.user_so_far(text)[len(self._opening) :][-_LONGEST:], self._template.response_end()[0]])
        self._hold(settings)
        hidden = self._backbone.forward(words[:-1].expand(len(settings), -1), self._cache)
        behind = torch.cat([self._last, hidden], dim=1)  # [n, T, D], from which each word is foreseen
        chances = torch.log_softmax(self._backbone.logits(behind).float(), -1)
        targets = words.to(chances.device).expand(len(settings), -1)[..., None]
        return chances.gather(-1, targets)[..., 0].sum(-1).tolist()

    def _hold(self, settings: list[str]) -> None:
        """Fill the cache's rows with the settings and nothing behind them."""
        if settings != self._settings or self._cache is None:
            ids, self._ends = pad_right([self._template.opening(s) for s in settings], torch.device("cpu"))
            self._cache = self._backbone.new_cache(len(settings), ids.shape[1] + _LONGEST + 1)
            hidden = self._backbone.forward(ids, self._cache, self._ends)
            self._last = torch.stack([row[end - 1 : end] for row, end in zip(hidden, self._ends.tolist(), strict=True)])
            self._settings = settings
        for row, end in enumerate(self._ends.tolist()):
            self._cache.truncate(row, end)


def _use_of(tool: Tool) -> str:
    name = " ".join(tool.name.replace("-", "_").split("_"))
    return f"The user asks the assistant to {name}: {tool.description[:DESCRIPTION_CHARS]}".rstrip(": ")
