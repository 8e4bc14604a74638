"""Decoding under a grammar: a tool call that is valid JSON, names a known tool, and whose arguments its schema accepts.

A mask over the vocabulary for every token, from llguidance (MIT). Not a judgement whether to call.
"""

import json
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer

from a2llm.language.schema_bounds import bounded
from a2llm.language.tokenizer import TextTokenizer
from a2llm.messages import FunctionCall, Tool

FREE_TOKENS = 160  # of a call; then it is brought to its end by the shortest way
SHORTEST_TOKENS = 160  # a schema whose shortest value needs more is refused
CALL_TOKENS = FREE_TOKENS + 2 * SHORTEST_TOKENS  # the way to the end depends on where a call stands
_CLOSING = ("}", "]", ",")  # the sooner in this list, the sooner the whole ends
_LAYOUT: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "json_allowed_escapes": '"\\nt'}


@dataclass
class CallStream:
    """A tool call that is being written, token by token, under its grammar."""

    matcher: LLMatcher
    tokenizer: TextTokenizer
    free_tokens: int = FREE_TOKENS
    tokens: list[int] = field(default_factory=list)
    failed: bool = False  # the grammar gave up; nothing is called then

    def forced(self) -> list[int]:
        """Tokens that can only follow as they are; taken as written."""
        tokens = self.matcher.compute_ff_tokens()
        if tokens:
            self._take(tokens)
        return tokens

    def push(self, token: int) -> list[int]:
        """Write one token that the mask allows; what else it settles is returned."""
        self._take([token])
        return [] if self.done else self.forced()

    def _take(self, tokens: list[int]) -> None:
        self.failed = self.failed or not self.matcher.consume_tokens(tokens)
        self.tokens += tokens

    @property
    def done(self) -> bool:
        """True if the call is complete or the grammar has given up."""
        return self.failed or self.matcher.is_accepting()

    def allowed(self) -> np.ndarray:
        """Mask [V], bool, of the ids that may come next. Behind `free_tokens` only those that end the call soonest."""
        bits = np.frombuffer(self.matcher.compute_bitmask(), np.uint8)
        mask = np.unpackbits(bits, bitorder="little").astype(bool)
        if len(self.tokens) >= self.free_tokens:
            endings = [self.tokenizer.encode(mark)[0] for mark in (('"',) if self._in_string() else _CLOSING)]
            ending = next((token for token in endings if mask[token]), None)
            if ending is not None:
                mask[:] = False
                mask[ending] = True
        return mask

    def _in_string(self) -> bool:
        return re.sub(r"\\.", "", self.tokenizer.decode(self.tokens)).count('"') % 2 == 1

    def call(self) -> FunctionCall | None:
        """The call that was written; None if the grammar gave up."""
        if self.failed:
            return None
        made = json.loads(self.tokenizer.decode(self.tokens))
        return FunctionCall(made["name"], json.dumps(made["arguments"], ensure_ascii=False))


class CallGrammar:
    """Makes streams for sets of tools; the vocabulary is read once (a third of a second)."""

    def __init__(self, tokenizer: TextTokenizer, vocabulary: int) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = LLTokenizer(tokenizer.definition(), n_vocab=vocabulary, eos_token=tokenizer.turn_end)
        self._compiled = lru_cache(64)(self._compile)

    def open(self, tool: Tool) -> CallStream:
        """A call of `tool`. Raises ValueError for a schema that cannot be kept to."""
        return self._stream(self._compiled(tool.name, json.dumps(tool.parameters)).deep_copy())

    def _stream(self, matcher: LLMatcher) -> CallStream:
        return CallStream(matcher, self._tokenizer)

    def _compile(self, name: str, parameters: str) -> LLMatcher:
        matcher = self._matcher(Tool(name, parameters=json.loads(parameters)))
        self._check_size(name, matcher)
        return matcher

    def _matcher(self, tool: Tool) -> LLMatcher:
        matcher = LLMatcher(self._vocabulary, LLMatcher.grammar_from_json_schema(call_schema(tool), overrides=_LAYOUT), log_level=0)
        if matcher.is_error():
            raise ValueError(f"tool {tool.name}: {matcher.get_error().splitlines()[0]}")
        return matcher

    def _check_size(self, name: str, matcher: LLMatcher) -> None:
        stream = replace(self._stream(matcher.deep_copy()), free_tokens=0)
        stream.forced()
        while not stream.done:
            allowed = np.flatnonzero(stream.allowed())
            if len(stream.tokens) > SHORTEST_TOKENS or not len(allowed):
                raise ValueError(f"tool {name}: no call fits into {SHORTEST_TOKENS} tokens; the schema asks for too much")
            stream.push(int(allowed[0]))


def call_schema(tool: Tool) -> dict[str, Any]:
    """Schema of a whole call: {"name": ..., "arguments": ...}. Raises ValueError for parameters that are no object or have no bound."""
    if tool.parameters.get("type", "object") != "object":
        raise ValueError(f"tool {tool.name}: parameters must be of type object")
    try:
        arguments = bounded({"type": "object", **tool.parameters}, tool.parameters)
    except (ValueError, TypeError) as error:
        raise ValueError(f"tool {tool.name}: {error}") from None
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
