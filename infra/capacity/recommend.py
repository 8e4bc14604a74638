"""Finds the numbers that the autoscaler should have: it compares policies on the same day and takes the cheapest that keeps the service
level."""

from dataclasses import dataclass, replace
from statistics import fmean

from capacity.crowd import Crowd, Minutes
from capacity.inputs import Hardware, Inputs, Scaling

SHARES = (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
DOWN_S = (60.0, 120.0, 300.0, 600.0)
DAYS = 3  # of each policy: a surge meets a fleet that is just large enough, or just not
# Refusals of infra/observability/rules/slo.yaml are 0.5% over a month; a day may spend a fifth of that, so that bad days have the rest.
MOST_REFUSED_PCT = 0.1
MOST_REFUSED_MINUTE_PCT = 5.0  # in the day's worst minute: the surge


@dataclass(frozen=True)
class Row:
    """One policy: the means of its days, and the worst minute of all of them."""

    scaling: Scaling
    refused_pct: float
    worst_minute_pct: float
    utilisation_pct: float
    usd_per_1000_minutes: float

    @property
    def keeps_the_level(self) -> bool:
        return self.refused_pct <= MOST_REFUSED_PCT and self.worst_minute_pct <= MOST_REFUSED_MINUTE_PCT


def compare(inputs: Inputs, hardware: Hardware, peak: float, scalings: list[Scaling], seed: int = 0) -> list[Row]:
    """Each day of each policy is a cell of its own, with the same day's load."""
    traffic = replace(inputs.traffic, surge_share=inputs.traffic.surge_share * inputs.traffic.surge_margin)
    crowd = Crowd(replace(inputs, traffic=traffic), hardware, [scaling for scaling in scalings for _ in range(DAYS)], peak, seed)
    minutes = crowd.run()
    return [_row(crowd, minutes, DAYS * number, scaling) for number, scaling in enumerate(scalings)]


def by_share(inputs: Inputs, hardware: Hardware, peak: float) -> list[Row]:
    return compare(inputs, hardware, peak, [replace(inputs.scaling, share=share) for share in SHARES])


def by_down(inputs: Inputs, hardware: Hardware, peak: float, share: float) -> list[Row]:
    return compare(inputs, hardware, peak, [replace(inputs.scaling, share=share, down_s=down_s) for down_s in DOWN_S])


def cheapest(rows: list[Row]) -> Row:
    """Returns the cheapest row that keeps the level; if none does, the one that refuses least."""
    good = [row for row in rows if row.keeps_the_level]
    return min(good, key=lambda row: row.usd_per_1000_minutes) if good else min(rows, key=lambda row: row.refused_pct)


def _row(crowd: Crowd, minutes: Minutes, first: int, scaling: Scaling) -> Row:
    cells = range(first, first + DAYS)
    days = [crowd.outcome(cell) for cell in cells]
    worst = max(float((minutes.refused[:, cell] / minutes.asked[:, cell].clip(min=1)).max()) for cell in cells)
    each = [(day.refused_pct, day.utilisation_pct, day.usd_per_1000_minutes(crowd.hardware)) for day in days]
    refused, utilisation, usd = (fmean(values) for values in zip(*each, strict=True))
    return Row(scaling, refused, 100 * worst, utilisation, usd)
