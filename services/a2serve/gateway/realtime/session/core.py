"""What a session is made of, and the little that all its parts use. How it lives (tasks, socket) is `session`; what the
user's voice does is `user_turns`; what the client asks is `commands`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from a2serve.contracts.problems import Problem
from a2serve.contracts.server_events import RateLimitsUpdated
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.conversation.conversation import Conversation, Item
from a2serve.gateway.conversation.item_log import Entry
from a2serve.gateway.hearing.audio_formats import decoder_of
from a2serve.gateway.hearing.echo import EchoGate
from a2serve.gateway.hearing.input_audio import InputBuffer
from a2serve.gateway.model_client.interface import ModelInfo
from a2serve.gateway.realtime.response.active_responses import Responses
from a2serve.gateway.realtime.response.response import Response
from a2serve.gateway.realtime.session.checkpoints import checkpoint_of
from a2serve.gateway.realtime.session.collaborators import Change, Checkpoint, Collaborators, Identity, SavedSession
from a2serve.gateway.realtime.session.keeping import Keeper
from a2serve.gateway.realtime.session.trace import SessionTrace
from a2serve.gateway.realtime.transport.send_queue import SendQueue
from a2serve.gateway.realtime.turn.machine import TurnState
from a2serve.gateway.realtime.turn.rules import rules_of


class SessionCore:
    """The state of one session, and its collaborators. `tasks` is its one TaskGroup."""

    def __init__(
        self,
        identity: Identity,
        config: SessionConfig,
        parts: Collaborators,
        out: SendQueue,
        tasks: asyncio.TaskGroup,
        *,
        info: ModelInfo | None,
        items: list[Item],
        fresh: bool = True,
        lost: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.identity, self.config, self.parts, self.out, self.tasks, self.info = identity, config, parts, out, tasks, info
        self.opened_ms, self.lost = parts.now_ms(), lost
        self.conversation = Conversation(parts.limits.max_items, items, parts.limits.max_conversation_bytes)
        self.conversation_id = "conv_" + identity.session_id.removeprefix("sess_")
        self.input = InputBuffer(parts.limits.max_input_ms)
        self.decoder = decoder_of(config.audio.input.format)
        self.voice_activity = parts.new_ears()
        self.echo = EchoGate()
        self.turn_state = TurnState(rules=rules_of(config.audio.input.turn_detection))
        self.responses = Responses(out, parts.now_ms, parts.limits.parallel_responses)
        self.transcribing: dict[str, asyncio.Task[Problem | None]] = {}
        self.unheard_bytes = 0  # of sound that waits for its words
        self.keeper = Keeper(identity, parts, self, stored_items=len(items), fresh=fresh)
        self.trace = SessionTrace(parts.tracer, identity.tenant, identity.session_id)
        self.turns = 0
        self.updates, self.updated = 0, dict[str, None]()  # of settings, by the client: how many, of which
        self.closing = False  # no task can begin any more
        self.unbilled_audio_ms = 0  # committed by the user since the last response

    @property
    def opted_in(self) -> bool:
        """Whether the client wants our own events."""
        return bool(self.config.a2 and self.config.a2.events)

    @property
    def speaks(self) -> bool:
        """Whether a response is in progress."""
        return bool(self.responses.in_progress)

    def check_fixed(self, result: SessionConfig, where: str) -> None:
        """Every change of settings comes by here, merged. Raises Problem(forbidden) for what a client secret fixes."""
        if self.identity.guard:
            self.identity.guard.check_settings(result, where)

    def check_fixed_item(self, item: object) -> None:
        """The same for what comes into a conversation, or into the input of a response."""
        if self.identity.guard:
            self.identity.guard.check_item(item)

    def error(self, problem: Problem, event_id: str | None = None) -> None:
        """Tell the client; the session goes on."""
        self.parts.refused(problem)
        self.out.send(problem.as_event(event_id))

    def keep_items(self, response: Response | None) -> None:
        """What it said was cut."""
        for item in response.writer.items if response else ():
            if self.conversation.holds(item):
                self.keeper.item_done(item)

    def saved(self) -> SavedSession:
        """What survives this replica; unfinished items do not."""
        items = [item.as_json() for item in self.conversation.items if item.status != "in_progress"]
        return SavedSession(self.config.model_dump(mode="json"), items, self.out.sequence)

    def change(self, make: Callable[[list[Item]], list[Entry]], *, settings: bool) -> Change:
        """For the keeper: what is new, as it is now."""
        items = self.conversation.items
        config = self.config.model_dump(mode="json") if settings else None
        return Change(make(items), self.out.sequence, config, len(items), self.checkpoint())

    def checkpoint(self) -> Checkpoint:
        """For the keeper: what holds if nothing more is heard of this gateway."""
        return checkpoint_of(self)

    def take_audio_ms(self) -> int:
        """What the user committed since this was last asked: each sound is billed once."""
        taken, self.unbilled_audio_ms = self.unbilled_audio_ms, 0
        return taken

    async def tell_rate_limits(self) -> None:
        """rate_limits.updated, as after each response; nothing where nothing is counted."""
        left = await self.identity.allowance.left() if self.identity.allowance else []
        if left:
            self.out.send(RateLimitsUpdated(rate_limits=left))
