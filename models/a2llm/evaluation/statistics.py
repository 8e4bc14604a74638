"""Intervals and percentiles. Clips are the unit that is drawn again: words or frames of one clip are not independent."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import bootstrap

DRAWS = 2000
Statistic = Callable[[np.ndarray], float]


def interval(clips: int, statistic: Statistic, seed: int = 0, draws: int = DRAWS) -> tuple[float, float]:
    """95% percentile-bootstrap interval of `statistic`, which takes the indices [n] of the clips drawn (Efron 1979)."""
    if clips < 2:  # nothing else can be drawn
        return statistic(np.arange(clips)), statistic(np.arange(clips))
    rng = np.random.default_rng(seed)
    drawn = bootstrap((np.arange(clips),), statistic, n_resamples=draws, vectorized=False, method="percentile", rng=rng)
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def share_pct(parts: Sequence[float], wholes: Sequence[float]) -> Statistic:
    """100 * sum(parts) / sum(wholes) over the clips drawn: word error rate, accuracy."""
    top, bottom = np.asarray(parts, float), np.asarray(wholes, float)
    return lambda picks: 100.0 * float(top[picks].sum()) / max(float(bottom[picks].sum()), 1e-9)


def ratio(tops: Sequence[float], bottoms: Sequence[float]) -> Statistic:
    """sum(tops) / sum(bottoms) over the clips drawn."""
    percent = share_pct(tops, bottoms)
    return lambda picks: percent(picks) / 100.0


def with_interval(key: str, statistic: Statistic, clips: int, seed: int = 0) -> dict[str, float]:
    """`key` over all clips, `key`_low and `key`_high."""
    low, high = interval(clips, statistic, seed)
    return rounded({key: statistic(np.arange(clips)), f"{key}_low": low, f"{key}_high": high})


def percentiles(key: str, values: Sequence[float]) -> dict[str, float]:
    """{key}_p50_ms and {key}_p95_ms of milliseconds; both nan where there is none."""
    p50, p95 = np.percentile(values, (50, 95)) if len(values) else (np.nan, np.nan)
    return rounded({f"{key}_p50_ms": float(p50), f"{key}_p95_ms": float(p95)})


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Four significant digits are more than any of these measurements carries; counts stay whole."""
    return {name: value if isinstance(value, int) else float(f"{value:.4g}") for name, value in figures.items()}
