"""Who takes part in the next step, how rich its sound is, and whether another response can be taken. Knows only margins.

A response's margin is the speech that its listener has and has not heard yet. One with a small margin goes first, one with
a large margin yields. When even those that spoke for a while cannot keep a margin, sound gets cheaper (fewer residual
levels), and then new responses are refused: never late sound for everyone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

SAFE_S = 0.5  # a margin below it is small; where the pace allows less than twice as much, half of what it allows
DRY = 0.3  # of that: below it a stall of the machine is heard
TOGETHER = 0.25  # of a lead: who has used up this much of it goes on, and all that have used any of it go along
SETTLED_S = 1.0  # of speech, after which a response should have its margin
PATIENCE_S = 1.0  # how long a response that has not begun yields to those with a small margin
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
    """One response at this moment, in seconds. made_s: speech made here; margin_s: of it, what is not heard yet, None where nobody
    hears it as it comes (text, or as fast as possible); waits_s: since it was asked for, None once its first sound has left."""

    made_s: float
    margin_s: float | None
    waits_s: float | None = None


class Schedule:
    """One per engine. `look` first, then ask it."""

    def __init__(self, pace: Pace, levels: int) -> None:
        self._pace, self._levels, self._fewest = pace, levels, min(levels, pace.fewest_levels)
        self._safe_s = min(SAFE_S, pace.lead_s / 2, pace.crowded_lead_s / 2)
        self.cheap = False
        self.overloaded = False
        self.tight = False  # somebody is about to run dry: nothing may make a step longer
        self._lead_s, self._going = pace.lead_s, False

    @property
    def levels(self) -> int:
        """Residual levels of the sound in the next step."""
        return self._fewest if self.cheap else self._levels

    def look(self, responses: Iterable[Progress]) -> None:
        """Take in how all of them are doing."""
        responses = list(responses)
        heard = [(p.margin_s, p.made_s) for p in responses if p.waits_s is None and p.margin_s is not None]
        least = min((margin for margin, _ in heard), default=self._pace.lead_s)
        settled = min((margin for margin, made in heard if made >= SETTLED_S), default=2 * self._safe_s)
        self.cheap = settled < self._safe_s * (2 if self.cheap else 1)  # once cheap, until there is a margin again
        self.overloaded = settled < self._safe_s * (1 if self.overloaded else DRY)
        self.tight = least < DRY * self._safe_s or settled < self._safe_s / 2
        self._lead_s = self._lead(least, any(p.waits_s is not None for p in responses))
        self._going = least < (1 - TOGETHER) * self._lead_s

    def early_s(self, response: Progress) -> float:
        """How long until it may go on; 0 or less: now."""
        if response.waits_s is not None:
            return PATIENCE_S - response.waits_s if self.tight else 0.0
        if response.margin_s is None:
            return LOOK_AGAIN_S if self._lead_s < self._pace.lead_s and self._going else 0.0
        return response.margin_s - self._lead_s * (1 if self._going else 1 - TOGETHER)

    def _lead(self, least_s: float, somebody_waits: bool) -> float:
        """A response with a larger margin yields."""
        if least_s < DRY * self._safe_s:
            return self._safe_s
        return self._pace.crowded_lead_s if somebody_waits or least_s < self._safe_s else self._pace.lead_s
