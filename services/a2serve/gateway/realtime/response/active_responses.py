"""The responses of a session: one at a time for the conversation, a few beside it; who is heard, held, cut."""

import asyncio
from collections.abc import Callable

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import ItemTruncated
from a2serve.gateway.conversation.conversation import Item
from a2serve.gateway.realtime.response.response import CutReason, Response
from a2serve.gateway.realtime.transport.send_queue import SendQueue


class Responses:
    """`active` is being made for the conversation; `audible` is it or the one whose last sound is still playing."""

    def __init__(self, out: SendQueue, now_ms: Callable[[], float], parallel: int) -> None:
        self.active: Response | None = None
        self.audible: Response | None = None
        self._beside: dict[str, Response] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._out, self._now_ms, self._parallel = out, now_ms, parallel

    @property
    def in_progress(self) -> list[Response]:
        """All of them."""
        return [*([self.active] if self.active else []), *self._beside.values()]

    def check_free(self, in_conversation: bool) -> None:
        """Raises Problem when another response is in the way."""
        if in_conversation and self.active:
            detail = f"response {self.active.id} is in progress; wait for response.done or cancel it"
            raise Problem(Code.RESPONSE_ACTIVE, detail)
        if not in_conversation and len(self._beside) >= self._parallel:
            raise Problem(Code.RATE_LIMITED, f"at most {self._parallel} responses beside the conversation's own")

    def begin(self, response: Response, tasks: asyncio.TaskGroup, *, in_conversation: bool) -> None:
        """Let it run."""
        if in_conversation:
            self.active = response
        else:
            self._beside[response.id] = response
        self._tasks[response.id] = tasks.create_task(response.run(), name=f"response {response.id}")

    def done(self, response: Response) -> bool:
        """It wrote its end; whether it was the conversation's own."""
        self._tasks.pop(response.id, None)
        if self._beside.pop(response.id, None):
            return False
        self.active = None
        return True

    def remaining_ms(self) -> float:
        """How long what was sent will still be heard."""
        if self.audible is None:
            return 0.0
        return max(self.audible.pacer.clock.sent_ms - self.audible.pacer.played_ms(), 0.0)

    def find(self, response_id: str | None) -> Response | None:
        """A response in progress; without an id, the conversation's own."""
        if response_id is None or (self.active and self.active.id == response_id):
            return self.active
        return self._beside.get(response_id)

    def cancel(self, response_id: str | None) -> None:
        """By the client. Kept is what was heard, where the client tells; else what was sent (a truncate will follow)."""
        response = self.find(response_id)
        if response is None:
            raise Problem(Code.CANCEL_NOT_ACTIVE, "no such response is in progress", param="response_id" if response_id else None)
        clock = response.pacer.clock
        self._stop(response, "client_cancelled", response.pacer.played_ms() if clock.reported else clock.sent_ms)

    def cancel_beside(self) -> None:
        """Nobody is there any more who asked for them."""
        for response in list(self._beside.values()):
            self._stop(response, "client_cancelled", response.pacer.clock.sent_ms)

    def interrupt(self) -> tuple[Response | None, float]:
        """The user took the floor: cut what is being said, and the end of it that is still playing. Returns who and where."""
        audible, self.audible = self.audible, None
        heard = audible or self.active
        at_ms = heard.pacer.played_ms() if heard else 0.0
        if audible and audible is not self.active:
            self._truncate_played(audible, at_ms)
        if self.active:
            self._stop(self.active, "turn_detected", self.active.pacer.played_ms())
        return heard, at_ms

    def hold(self) -> Response | None:
        """Send nothing of the conversation's response for now."""
        if self.active:
            self.active.pacer.hold()
        return self.active or self.audible

    def resume(self) -> Response | None:
        """Go on."""
        if self.active:
            self.active.pacer.resume()
        return self.active or self.audible

    def report(self, response_id: str, played_ms: int, finished: bool) -> None:
        """The client's player speaks."""
        for response in (self.active, self.audible, self._beside.get(response_id)):
            if response and response.id == response_id:
                response.pacer.report(played_ms, finished=finished)
                return

    def owner_of(self, item: Item) -> Response | None:
        """The response in progress that is making this item."""
        return self.active if self.active and item in self.active.writer.items else None

    def stopped_playing(self, item: Item, at_ms: int) -> bool:
        """The client cut what it was still playing; whether that was the last thing to be heard."""
        audible = self.audible
        if audible is None or audible is self.active or item not in audible.writer.items:
            return False
        self.audible, audible.cut_ms = None, at_ms
        audible.heard()
        return True

    def _stop(self, response: Response, reason: CutReason, at_ms: float) -> None:
        task = self._tasks.get(response.id)
        response.cut(reason, at_ms)
        if task:
            task.cancel()

    def _truncate_played(self, response: Response, at_ms: float) -> None:
        item = next((item for item in reversed(response.writer.items) if item.audio_ms), None)
        if item:
            response.cut_ms = item.cut(at_ms)
            response.heard()
            self._out.send(ItemTruncated(item_id=item.id, audio_end_ms=response.cut_ms))
