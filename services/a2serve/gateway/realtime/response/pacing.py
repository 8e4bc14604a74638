"""Paces packets: each leaves at most `lead_ms` ahead of the client's playback. Keeps the one estimate of the playback position."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from a2serve.gateway.realtime.limits import LEAD_MS

PATIENCE_MS = 30_000.0  # a player may be so far behind real time: a response that waits for it holds a slot of the model
UNDERRUN_MS = 100.0  # players hold back about as much before they begin, so a shorter wait is not heard


class PlaybackClock:
    """Estimates the client's playback position. It runs from the first packet, never past what was sent; reports of the client win."""

    def __init__(self, not_before_ms: float = 0.0) -> None:
        """`not_before_ms`: when the player will have finished what came before."""
        self.played_ms = 0.0
        self.sent_ms = 0.0
        self.reported = False
        self.underran = False  # the player waited longer than UNDERRUN_MS for sound that came
        self._underrun_ms = 0.0
        self._not_before_ms = not_before_ms
        self._last_ms: float | None = None
        self._finished = False

    def advance(self, now_ms: float) -> float:
        """Move to now; the played position in ms of the response's audio."""
        if self._last_ms is not None:
            wanted_ms = self.played_ms + max(now_ms - self._last_ms, 0.0)
            self._underrun_ms += max(wanted_ms - self.sent_ms, 0.0)
            self.played_ms = min(wanted_ms, self.sent_ms)
            self._last_ms = max(self._last_ms, now_ms)
        return self.played_ms

    def sent(self, end_ms: float, now_ms: float) -> None:
        """Audio up to `end_ms` has left."""
        self.advance(now_ms)
        if self._last_ms is None:
            self._last_ms = max(now_ms, self._not_before_ms)
        self.underran |= self._underrun_ms > UNDERRUN_MS
        self._underrun_ms = 0.0
        self.sent_ms = max(self.sent_ms, end_ms)

    def report(self, played_ms: float, now_ms: float, *, finished: bool = False) -> None:
        """Takes the client's report of its position; what was not sent cannot have been played."""
        self.played_ms = self.sent_ms if finished else float(min(played_ms, self.sent_ms))  # in this order: a client may say 10**400
        self._last_ms, self.reported, self._finished = now_ms, True, finished

    def jump_to_end(self) -> None:
        """Counts all that was sent as played, since nobody listens in real time (burst)."""
        self.played_ms = self.sent_ms

    def excuse(self) -> None:
        """The player waits because it was meant to."""
        self._underrun_ms = 0.0

    @property
    def at_end(self) -> bool:
        """Whether everything that was sent has been played."""
        return self._finished or self.played_ms >= self.sent_ms


class Pacer:
    """Lets packets of one response go in time; can be held. `now_ms` is the session's clock."""

    def __init__(self, now_ms: Callable[[], float], *, lead_ms: float = LEAD_MS, burst: bool = False, not_before_ms: float = 0.0) -> None:
        self.clock = PlaybackClock(not_before_ms)
        self._now_ms, self._lead_ms, self._burst, self._not_before_ms = now_ms, lead_ms, burst, not_before_ms
        self._held = False
        self._held_from_ms = 0.0
        self._began_ms: float | None = None
        self._changed = asyncio.Event()

    async def due(self, start_ms: float) -> None:
        """Return when audio that begins at `start_ms` may leave."""
        while True:
            self._changed.clear()
            delay_ms = self._delay_ms(start_ms)
            if delay_ms <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_ms / 1000):  # wait_for of 3.11 can swallow a cancellation
                    await self._changed.wait()

    def hold(self) -> None:
        """Lets nothing leave until `resume`."""
        if not self._held:
            self._held, self._held_from_ms = True, self._now_ms()

    def resume(self) -> None:
        """Lets packets leave again after `hold`."""
        self.played_ms()
        self.clock.excuse()
        if self._held and self._began_ms is not None:
            self._began_ms += self._now_ms() - max(self._held_from_ms, self._began_ms)
        self._held = False
        self._changed.set()

    def sent(self, end_ms: float) -> None:
        """Audio up to `end_ms` has left."""
        self.clock.sent(end_ms, self._now_ms())
        if self._began_ms is None:
            self._began_ms = max(self._now_ms(), self._not_before_ms)
        if self._burst and not self.clock.reported:
            self.clock.jump_to_end()

    def report(self, played_ms: float, *, finished: bool = False) -> None:
        """The client says where its player is."""
        self.clock.report(played_ms, self._now_ms(), finished=finished)
        self._changed.set()

    def played_ms(self) -> float:
        """Playback position now, in milliseconds."""
        return self.clock.advance(self._now_ms())

    def remaining_ms(self) -> float:
        """Time for which the sound that was sent will still be heard, once it is its turn."""
        return max(self.clock.sent_ms - self.played_ms(), 0.0)

    @property
    def underran(self) -> bool:
        """True if a listener in real time heard a gap."""
        return self.clock.underran and not self._burst

    def _delay_ms(self, start_ms: float) -> float:
        if self._held:
            return 60_000.0
        if self._burst:
            return 0.0
        return start_ms - self._lead_ms - max(self.played_ms(), self._must_have_played_ms())

    def _must_have_played_ms(self) -> float:
        """Least playback position, whatever the client reports."""
        return 0.0 if self._began_ms is None else self._now_ms() - self._began_ms - PATIENCE_MS
