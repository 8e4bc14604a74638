"""Interface of the servicer to a model, wherever it runs: the EngineClient protocol, and the one in this process.

Admission happens here, on the event loop: a refusal costs no engine time and comes at once.
"""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from a2llm.messages import AppendRequest, Refused, ResponseRequest, StepOutput
from a2serve.inference.engine_host import EngineHost
from a2serve.inference.fair_share import FairShare, Party
from a2serve.inference.mailbox import Mailbox
from a2serve.inference.metrics import Metrics
from a2serve.inference.slots import SlotsFull, SlotTable

_SOONEST_RETRY_MS, _LATEST_RETRY_MS = 200, 5000
_USUAL_RESPONSE_S = 4.0  # until some have been seen
_FRESH = 0.2  # how much the latest response changes the mean


class EngineClient(Protocol):
    """One replica's model. Every method may raise EngineDown."""

    @property
    def slots(self) -> int: ...

    @property
    def speaking(self) -> int:
        """Number of responses in progress."""
        ...

    def respond(self, request: ResponseRequest) -> AsyncGenerator[StepOutput, None]:
        """The response's outputs; the last is `done`. Closing it cancels. Raises Refused, or ValueError for a bad request."""
        ...

    async def append(self, request: AppendRequest) -> int:
        """More given words for a response in progress; returns how many characters it has. Raises ResponseUnknown."""
        ...

    async def turn_end(self, words: str) -> float:
        """P(the user's turn ends after these words)."""
        ...

    async def release(self, session_id: str) -> bool:
        """Forget a session; returns whether it was known."""
        ...


@dataclass
class _Current:
    """The response that a session's slot speaks."""

    mailbox: Mailbox
    started_s: float
    tenant: str = ""
    began: bool = False  # an output has come


class LocalEngine:
    """The engine of this process, behind its thread."""

    def __init__(self, host: EngineHost, slots: int, metrics: Metrics) -> None:
        self._host, self._table, self._metrics = host, SlotTable(slots), metrics
        self._current: dict[str, _Current] = {}
        self._shares = FairShare(slots, time.perf_counter)
        self._mean_s = _USUAL_RESPONSE_S
        metrics.queue.set_function(lambda: host.waiting)
        self._show()

    @property
    def slots(self) -> int:
        return self._table.size

    @property
    def speaking(self) -> int:
        return self._table.speaking

    async def respond(self, request: ResponseRequest) -> AsyncGenerator[StepOutput, None]:
        """See EngineClient."""
        mailbox = self._host.open_mailbox()
        try:
            current, evicted = self._admit(request, mailbox)
            self._host.send(lambda core: core.begin(request, mailbox, evicted))
            async for output in _outputs(mailbox):
                current.began = True
                if output.done:
                    self._metrics.count(output.done, elsewhere=bool(request.options.resume or request.options.given))
                    self._leave(request.session_id, mailbox)
                yield output
        finally:
            self._host.close_mailbox(mailbox)
            if self._leave(request.session_id, mailbox):
                self._cancel(mailbox)

    async def append(self, request: AppendRequest) -> int:
        """See EngineClient."""
        return await self._host.ask(lambda core: core.append(request))

    async def turn_end(self, words: str) -> float:
        """See EngineClient."""
        return await self._host.ask(lambda core: core.turn_end(words))

    async def release(self, session_id: str) -> bool:
        """See EngineClient."""
        known = self._table.drop(session_id)
        self._current.pop(session_id, None)
        self._show()
        self._host.send(lambda core: core.release(session_id))
        return known

    def _admit(self, request: ResponseRequest, mailbox: Mailbox) -> tuple[_Current, str | None]:
        """Takes a slot; returns also the session that loses it. Raises Refused; a response that goes on from elsewhere only for want of a
        slot."""
        party = Party(request.session_id, request.tenant, request.tenant_weight)
        if not request.options.resume:
            self._require_capacity(party, request.comes_back)
        try:
            evicted = self._table.take(request.session_id)
        except SlotsFull as error:
            raise self._refused("full", str(error), party, request.comes_back and not request.options.resume) from None
        self._shares.taken(party)
        current = self._current[request.session_id] = _Current(mailbox, time.perf_counter(), request.tenant)
        self._show()
        return current, evicted

    def _require_capacity(self, party: Party, comes_back: bool) -> None:
        """Raises Refused if another response would disturb running ones, or take what others wait for."""
        if self._crowded:
            raise self._refused("overloaded", "those who speak need all of this replica's speed", party, comes_back)
        others = [current.tenant for session, current in self._current.items() if session != party.session_id]
        if len(others) < self._table.size and not self._shares.may_take(party, others):
            raise self._refused("share", "the slots that are free wait for other tenants", party, comes_back)

    def _refused(self, reason: str, message: str, party: Party, comes_back: bool) -> Refused:
        wait_ms = self._retry_after_ms()
        if comes_back:
            self._shares.claim(party, wait_ms / 1000)
        self._metrics.refused.labels(reason).inc()
        return Refused(message, wait_ms)

    @property
    def _crowded(self) -> bool:
        """Another response would disturb those that are spoken to."""
        begin = sum(not current.began for current in self._current.values())
        return bool(self._current) and begin >= self._host.waiting_limit

    def _leave(self, session_id: str, mailbox: Mailbox) -> bool:
        """The slot rests, unless it already speaks something newer; returns whether it spoke this."""
        current = self._current.get(session_id)
        if current is None or current.mailbox is not mailbox:
            return False
        del self._current[session_id]
        self._table.rest(session_id)
        self._mean_s += _FRESH * (time.perf_counter() - current.started_s - self._mean_s)
        self._show()
        return True

    def _cancel(self, mailbox: Mailbox) -> None:
        """The reader has gone in mid-response."""
        self._metrics.responses.labels("cancelled").inc()
        if not self._host.down:
            self._host.send(lambda core: core.cancel(mailbox))

    def _retry_after_ms(self) -> int:
        """When the first of the running responses will end, if it is as long as they usually are."""
        now = time.perf_counter()
        soonest_s = min((self._mean_s - (now - current.started_s) for current in self._current.values()), default=0.0)
        return int(min(max(soonest_s * 1000, _SOONEST_RETRY_MS), _LATEST_RETRY_MS))

    def _show(self) -> None:
        self._metrics.show_slots(self._table.speaking, self._table.held, self._table.size)


async def _outputs(mailbox: Mailbox) -> AsyncGenerator[StepOutput, None]:
    """Until the one that is done."""
    while True:
        output = await mailbox.get()
        yield output
        if output.done:
            return
