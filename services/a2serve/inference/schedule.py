"""Who takes part in the next step, how rich its sound is, and whether another response can be taken. Knows only margins.

A response's margin is the speech that its listener has and has not heard yet. One with a small margin goes first, one with
a large margin yields. With the margins of those that spoke for a while, fewer new responses are taken in at a time; where even
they are small, none is, and sound gets cheaper (fewer residual levels): never late sound for everyone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

SAFE_S = 0.5  # a margin below it is small; where the pace allows less than twice as much, half of what it allows
DRY = 0.3  # of that: below it a stall of the machine is heard
AGAIN = 1.5  # times the small margin: where pressure ends
TOGETHER = 0.25  # of a lead: who has used up this much of it goes on, and all that have used any of it go along
SETTLED_S = 1.0  # of speech, after which a response should have its margin
PATIENCE_S = 0.4  # how long a response that has not begun yields to those with a small margin
LONGEST_WAIT_S = 1.0  # for a first sound; who would wait longer is refused
USUAL_BEGINNING_S = 0.15  # of the engine's time until a first sound, until some have been seen
FRESH = 0.2  # how much the latest changes the mean
LOOK_AGAIN_S = 0.02  # while something may change that no clock tells


class Pace(Protocol):
    """How far ahead of real time a response may run, in seconds, and how few residual levels its sound may have under pressure."""

    @property
    def lead_s(self) -> float: ...

    @property
    def crowded_lead_s(self) -> float: ...

    @property
    def fewest_levels(self) -> int: ...


@dataclass(frozen=True)
class Progress:
    """One response at this moment, in seconds. made_s: speech made here; margin_s: of it, what is not heard yet, None of text;
    waits_s: since it was asked for, None once its first sound has left; hurries: nobody hears it as it comes, it may be ready at
    any time (and is not slower than speech)."""

    made_s: float
    margin_s: float | None
    waits_s: float | None = None
    hurries: bool = False


class Schedule:
    """One per engine. `look` first, then ask it."""

    def __init__(self, pace: Pace, levels: int) -> None:
        self._pace, self._levels, self._fewest = pace, levels, min(levels, pace.fewest_levels)
        self._safe_s = min(SAFE_S, pace.lead_s / 2, pace.crowded_lead_s / 2)
        self._beginning_s = USUAL_BEGINNING_S
        self.cheap = False
        self.tight = False  # somebody is about to run dry: nothing may make a step longer
        self.newcomers = self._affordable(pace.lead_s)  # so many may be on their way to their first sound
        self._lead_s, self._going = pace.lead_s, False

    @property
    def levels(self) -> int:
        """Residual levels of the sound in the next step."""
        return self._fewest if self.cheap else self._levels

    def look(self, responses: Iterable[Progress]) -> None:
        """Take in how all of them are doing."""
        responses = list(responses)
        heard = [(p.margin_s, p.made_s) for p in responses if p.waits_s is None and p.margin_s is not None and not p.hurries]
        least = min((margin for margin, _ in heard), default=self._pace.lead_s)
        settled = min((margin for margin, made in heard if made >= SETTLED_S), default=self._pace.lead_s)
        self.cheap = settled < self._safe_s * (AGAIN if self.cheap else 1)  # once cheap, until there is a margin again
        self.tight = least < DRY * self._safe_s or settled < self._safe_s / 2
        just_begun = sum(margin < DRY * self._safe_s and made < SETTLED_S for margin, made in heard)
        self.newcomers = self._affordable(settled) - just_begun
        self._lead_s = self._lead(least, any(p.waits_s is not None for p in responses))
        self._going = least < (1 - TOGETHER) * self._lead_s

    def begun(self, took_s: float) -> None:
        """A first sound has left, after so much of the engine's time."""
        self._beginning_s += FRESH * (took_s - self._beginning_s)

    def early_s(self, response: Progress) -> float:
        """How long until it may go on; 0 or less: now."""
        if response.waits_s is not None:
            return PATIENCE_S - response.waits_s if self.tight else 0.0
        if response.margin_s is None:
            return 0.0
        early_s = response.margin_s - self._lead_s * (1 if self._going else 1 - TOGETHER)
        if response.hurries and early_s > 0:
            return LOOK_AGAIN_S if self._lead_s < self._pace.lead_s and self._going else 0.0
        return early_s

    def _affordable(self, settled_s: float) -> int:
        """How many may begin before those who are spoken to run dry, or the last of them has waited too long."""
        if settled_s < self._safe_s:
            return 0
        return max(1, int(min(settled_s, LONGEST_WAIT_S) / self._beginning_s))

    def _lead(self, least_s: float, somebody_waits: bool) -> float:
        """A response with a larger margin yields."""
        if least_s < DRY * self._safe_s:
            return self._safe_s
        return self._pace.crowded_lead_s if somebody_waits or least_s < self._safe_s else self._pace.lead_s
