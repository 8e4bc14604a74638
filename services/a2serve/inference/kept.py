"""What has been read and may be asked for again: the beginnings of conversations, and conversations that lost their slot.

A session that takes one of them over copies keys and values instead of computing them: its first sound comes as soon as if it had
kept its slot, and nobody who speaks is disturbed. A beginning (instructions and tools) serves everybody, a conversation only the
session it belongs to. Memory is bounded by tokens and taken as it is used; what was not asked for longest gives way. Used by the
engine's thread.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from a2llm.conversation import Conversation
from a2llm.engine import Engine

Key = str | tuple[int, ...]  # of a session's conversation its id, of a beginning what it says


class Past(NamedTuple):
    """Ids, and a cache of one row that holds them."""

    ids: list[int]
    cache: Any


class Kept:
    """At most `tokens` of them, beside the engine's own cache."""

    def __init__(self, engine: Engine, tokens: int) -> None:
        self._engine, self._most = engine, tokens
        self._pasts: OrderedDict[Key, Past] = OrderedDict()  # the one used last stands last

    @property
    def tokens(self) -> int:
        """Held now."""
        return sum(len(past.ids) for past in self._pasts.values())

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> None:
        """Compute a beginning before anybody asks for it; what is too long is left out."""
        cache = self._room(tuple(ids), list(ids))
        if cache is not None:
            self._engine.parts.backbone.forward(torch.tensor([ids]), cache)

    def learn(self, conversation: Conversation, ids: Sequence[int]) -> None:
        """Keep a beginning that the conversation's slot has read."""
        if tuple(ids) not in self._pasts and conversation.cached[: len(ids)] == list(ids):
            self._copy(tuple(ids), conversation, list(ids))

    def put_by(self, session_id: str, conversation: Conversation) -> None:
        """Keep a conversation whose slot goes to somebody else."""
        self._pasts.pop(session_id, None)
        self._copy(session_id, conversation, conversation.cached)

    def lend(self, session_id: str, conversation: Conversation, ids: Sequence[int]) -> None:
        """A slot that begins with nothing takes over what its session has said, or else this beginning, as far as they are known."""
        if not conversation.cached:
            self._take_over(conversation, self._pasts.pop(session_id, None))
        if conversation.cached[: len(ids)] != list(ids) and (beginning := self._pasts.get(tuple(ids))):
            self._pasts.move_to_end(tuple(ids))
            self._take_over(conversation, beginning)

    def forget(self, session_id: str) -> None:
        """The session is over."""
        self._pasts.pop(session_id, None)

    def _take_over(self, conversation: Conversation, past: Past | None) -> None:
        if past is not None:
            self._engine.cache.copy_row(conversation.row, past.cache, 0)
            conversation.cached = list(past.ids)

    def _copy(self, key: Key, conversation: Conversation, ids: list[int]) -> None:
        cache = self._room(key, ids)
        if cache is not None:
            cache.copy_row(0, self._engine.cache, conversation.row, len(ids))

    def _room(self, key: Key, ids: list[int]) -> Any:
        """An empty cache for what is new; None for what is known, empty or too long."""
        if key in self._pasts or not 0 < len(ids) <= self._most:
            return None
        while self.tokens + len(ids) > self._most:
            self._pasts.popitem(last=False)
        past = self._pasts[key] = Past(list(ids), self._engine.parts.backbone.new_cache(1, len(ids)))
        return past.cache
