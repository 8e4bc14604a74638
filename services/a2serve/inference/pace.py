"""Pace: which responses go on in a step, how rich their sound is, and how many more may begin. Knows leads alone.

A response's lead is the speech that its listener has and has not heard. One with a small lead goes first, one with a large lead
pauses. The smaller the leads of those that spoke for a while, the fewer new responses are admitted at a time; where even those leads
are small, none is, and sound gets cheaper (fewer residual levels): never late sound for everyone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

SAFE_S = 0.5  # a lead below it is small; where the pace allows less than twice as much, half of what it allows
UNDERRUN_NEAR = 0.3  # of that: below it a stall of the machine is heard
AGAIN = 1.5  # times the small lead: where pressure ends
TOGETHER = 0.25  # of the allowed lead: a response that has used up this much of it goes on, and all that have used any go along
SETTLED_S = 1.0  # of speech, after which a response should have its lead
PATIENCE_S = 0.4  # how long a waiting response yields to those near an underrun
LONGEST_WAIT_S = 1.0  # for a first sound; a response that would wait longer is rejected
USUAL_START_S = 0.15  # of the engine's time until a first sound, until some have been seen
FRESH = 0.2  # how much the latest changes the mean
LOOK_AGAIN_S = 0.02  # while something may change that no clock tells


@dataclass(frozen=True)
class Pace:
    """How far ahead of real time a response may run, in seconds: usually, and while another one waits for its first sound or is near
    an underrun. fewest_levels: residual levels that its sound may have under pressure."""

    lead_s: float = 4.0
    crowded_lead_s: float = 1.0
    fewest_levels: int = 4


@dataclass(frozen=True)
class Progress:
    """One response at this moment, in seconds.

    made_s: speech made here. lead_s: of it, the part that is not heard yet; None of text. waits_s: since it was asked for, None once
    its first sound has left. burst: nobody hears it as it comes, so it may be ready at any time (but not more slowly than speech).
    """

    made_s: float
    lead_s: float | None
    waits_s: float | None = None
    burst: bool = False


class Pacer:
    """One per engine. `look` first, then ask it."""

    def __init__(self, pace: Pace, levels: int) -> None:
        self._pace, self._levels, self._fewest = pace, levels, min(levels, pace.fewest_levels)
        self._safe_s = min(SAFE_S, pace.lead_s / 2, pace.crowded_lead_s / 2)
        self._start_s = USUAL_START_S
        self._reduced = self._near_underrun = self._going = False
        self._waiting_limit, self._allowed_s = self._affordable(pace.lead_s), pace.lead_s

    @property
    def audio_levels(self) -> int:
        """Residual levels of the sound in the next step."""
        return self._fewest if self._reduced else self._levels

    @property
    def near_underrun(self) -> bool:
        """A listener has almost nothing left: nothing may make a step longer."""
        return self._near_underrun

    @property
    def waiting_limit(self) -> int:
        """How many responses may be waiting for their first sound at a time. For any thread."""
        return self._waiting_limit

    def look(self, responses: Iterable[Progress]) -> None:
        """Take in how all of them are doing."""
        responses = list(responses)
        heard = [(p.lead_s, p.made_s) for p in responses if p.waits_s is None and p.lead_s is not None and not p.burst]
        least_s = min((lead for lead, _ in heard), default=self._pace.lead_s)
        settled_s = min((lead for lead, made in heard if made >= SETTLED_S), default=self._pace.lead_s)
        self._reduced = settled_s < self._safe_s * (AGAIN if self._reduced else 1)  # once reduced, until there is a lead again
        self._near_underrun = least_s < UNDERRUN_NEAR * self._safe_s or settled_s < self._safe_s / 2
        just_begun = sum(lead < UNDERRUN_NEAR * self._safe_s and made < SETTLED_S for lead, made in heard)
        self._waiting_limit = self._affordable(settled_s) - just_begun
        self._allowed_s = self._allowed(least_s, any(p.waits_s is not None for p in responses))
        self._going = least_s < (1 - TOGETHER) * self._allowed_s

    def note_first_sound(self, took_s: float) -> None:
        """A first sound has left, after so much of the engine's time."""
        self._start_s += FRESH * (took_s - self._start_s)

    def pause_s(self, response: Progress) -> float:
        """How long it pauses; 0 or less: it goes on now."""
        if response.waits_s is not None:
            return PATIENCE_S - response.waits_s if self._near_underrun else 0.0
        if response.lead_s is None:
            return 0.0
        pause_s = response.lead_s - self._allowed_s * (1 if self._going else 1 - TOGETHER)
        if response.burst and pause_s > 0:
            return LOOK_AGAIN_S if self._allowed_s < self._pace.lead_s and self._going else 0.0
        return pause_s

    def _affordable(self, settled_s: float) -> int:
        """How many may begin before a listener's lead is used up, or the last of them has waited too long."""
        if settled_s < self._safe_s:
            return 0
        return max(1, int(min(settled_s, LONGEST_WAIT_S) / self._start_s))

    def _allowed(self, least_s: float, any_waits: bool) -> float:
        """The lead beyond which a response pauses."""
        if least_s < UNDERRUN_NEAR * self._safe_s:
            return self._safe_s
        return self._pace.crowded_lead_s if any_waits or least_s < self._safe_s else self._pace.lead_s
