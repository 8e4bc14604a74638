"""The scheduler of a replica's engine: makes the plan of each step. Whether a request is admitted at all is `engine_client`'s
decision; it reads `waiting_limit` for that."""

from collections.abc import Collection

from a2llm.engine import Plan, pack
from a2serve.inference.pace import LOOK_AGAIN_S, Pace, Pacer
from a2serve.inference.running import RunningResponse

MOST_UNREAD = 100  # outputs: 5 s of speech that the reader has not taken


class Scheduler:
    """Schedules one engine. tokens_at_once, levels: tokens that its backbone reads in a pass, and the residual levels of its full sound."""

    def __init__(self, pace: Pace, tokens_at_once: int, levels: int) -> None:
        self._pacer, self._tokens_at_once = Pacer(pace, levels), tokens_at_once

    @property
    def waiting_limit(self) -> int:
        """How many responses may be waiting for their first sound at a time. For any thread."""
        return self._pacer.waiting_limit

    def plan(self, running: Collection[RunningResponse], now_s: float) -> Plan | None:
        """The next step; None while every response pauses. Near an underrun paused responses do not read ahead."""
        pauses = self._pauses(running, now_s)
        going = [r.response for r, pause_s in pauses if pause_s <= 0]
        if not going:
            return None
        paused = [] if self._pacer.near_underrun else [r.response for r, pause_s in pauses if pause_s > 0]
        return pack(going, self._tokens_at_once, paused, self._pacer.audio_levels)

    def idle_s(self, running: Collection[RunningResponse], now_s: float) -> float | None:
        """How long the engine may sleep; None: until something is asked of it."""
        pauses = self._pauses(running, now_s)
        return max(0.0, min(pause_s for _, pause_s in pauses)) if pauses else None

    def note_first_sound(self, took_s: float) -> None:
        """A first sound has left, after so much of the engine's time."""
        self._pacer.note_first_sound(took_s)

    def _pauses(self, running: Collection[RunningResponse], now_s: float) -> list[tuple[RunningResponse, float]]:
        """Time for which each response pauses. Backpressure: one whose reader does not keep up sits the step out; one that waits for given
        words does so until they come, and is no load to others."""
        progress = [(r, r.progress(now_s)) for r in running if not r.waits_for_words]
        self._pacer.look(p for _, p in progress)
        pauses = [(r, LOOK_AGAIN_S if r.unread > MOST_UNREAD else self._pacer.pause_s(p)) for r, p in progress]
        return pauses + [(r, max(LOOK_AGAIN_S, r.words_due_s(now_s))) for r in running if r.waits_for_words]
