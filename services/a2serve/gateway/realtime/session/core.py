"""State that the parts of one session share: identity, settings, conversation, events on their way out. Only its own methods change it.

How a session lives (tasks, socket) is `session`; whose turn it is, `floor`; what the client asks, `commands`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from a2llm.messages import ModelInfo
from a2serve.contracts.problems import Problem
from a2serve.contracts.server_events import RateLimitsUpdated
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.conversation.conversation import Conversation, Item
from a2serve.gateway.conversation.item_log import Entry
from a2serve.gateway.hearing.echo import EchoGate
from a2serve.gateway.realtime.response.active_responses import ActiveResponses
from a2serve.gateway.realtime.session.checkpoints import checkpoint_of
from a2serve.gateway.realtime.session.collaborators import Collaborators, Identity
from a2serve.gateway.realtime.session.keeping import Keeper
from a2serve.gateway.realtime.session.tally import SessionTally
from a2serve.gateway.realtime.session.trace import SessionTrace
from a2serve.gateway.realtime.transport.send_queue import SendQueue
from a2serve.gateway.state.saved_session import Change, Checkpoint, SavedSession

T = TypeVar("T")


class SessionCore:
    """`tasks` is the session's one TaskGroup. `responses` are begun and ended by the floor alone."""

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
        self.identity, self.parts, self.out, self.lost = identity, parts, out, lost
        self.opened_ms = parts.now_ms()
        self.conversation = Conversation(parts.limits.max_items, items, parts.limits.max_conversation_bytes)
        self.conversation_id = "conv_" + identity.session_id.removeprefix("sess_")
        self.responses, self.tally, self.echo = ActiveResponses(), SessionTally(), EchoGate()
        self.keeper = Keeper(identity, parts, self, stored_items=len(items), fresh=fresh)
        self.trace = SessionTrace(parts.tracer, identity.tenant, identity.session_id)
        self._config, self._info, self._tasks, self._closing = config, info, tasks, False

    @property
    def config(self) -> SessionConfig:
        """The settings that hold now."""
        return self._config

    @property
    def info(self) -> ModelInfo | None:
        """The model's last description; None if it was not there."""
        return self._info

    @property
    def opted_in(self) -> bool:
        """Whether the client wants our own events."""
        return bool(self._config.a2 and self._config.a2.events)

    @property
    def speaks(self) -> bool:
        """Whether a response is in progress."""
        return bool(self.responses.in_progress)

    def configure(self, config: SessionConfig) -> None:
        """These settings hold from now on."""
        self._config = config

    async def ask_model(self) -> ModelInfo:
        """Asks for the model's description now. Raises Problem."""
        self._info = await self.parts.inference.describe()
        return self._info

    def start(self, job: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task that ends with the session."""
        return self._tasks.create_task(job, name=name)

    def start_unless_closing(self, job: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Starts a task that a closed session does not need."""
        if not self._closing:
            self._tasks.create_task(job(), name=name)

    def close(self) -> None:
        """Nothing can be started any more."""
        self._closing = True

    def check_fixed(self, result: SessionConfig, where: str) -> None:
        """Checks every change of settings, merged. Raises Problem(forbidden) for one that a client secret fixes."""
        if self.identity.guard:
            self.identity.guard.check_settings(result, where)

    def check_fixed_item(self, item: object) -> None:
        """Checks an item of the conversation, or of a response's input, in the same way."""
        if self.identity.guard:
            self.identity.guard.check_item(item)

    def error(self, problem: Problem, event_id: str | None = None) -> None:
        """Sends an error to the client; the session goes on."""
        self.parts.refused(problem)
        self.out.send(problem.as_event(event_id))

    def saved(self) -> SavedSession:
        """State that survives this replica; unfinished items do not."""
        items = [item.as_json() for item in self.conversation.items if item.status != "in_progress"]
        return SavedSession(self._config.model_dump(mode="json"), items, self.out.sequence)

    def change(self, make: Callable[[list[Item]], list[Entry]], *, settings: bool) -> Change:
        """The news for the keeper, as it is now."""
        items = self.conversation.items
        config = self._config.model_dump(mode="json") if settings else None
        return Change(make(items), self.out.sequence, config, len(items), self.checkpoint())

    def checkpoint(self) -> Checkpoint:
        """The checkpoint for the keeper, as things are now."""
        return checkpoint_of(self)

    async def tell_rate_limits(self) -> None:
        """rate_limits.updated, as after each response; nothing where nothing is counted."""
        left = await self.identity.allowance.left() if self.identity.allowance else []
        if left:
            self.out.send(RateLimitsUpdated(rate_limits=left))
