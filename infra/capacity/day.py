"""How many sessions there should be, second by second of a day: two hills, a night, and a surge."""

import numpy as np
from numpy.typing import NDArray

from capacity.inputs import Traffic

DAY_S = 86_400
SURGE_AT_S = 13 * 3600
# Hour, share between the night's low and the peak.
_HILLS = (
    (0, 0.30),
    (2, 0.10),
    (4, 0.0),
    (6, 0.12),
    (8, 0.48),
    (10, 0.66),
    (12, 0.70),
    (14, 0.66),
    (16, 0.68),
    (18, 0.82),
    (20, 1.0),
    (22, 0.72),
    (24, 0.30),
)


def target_sessions(peak: float, traffic: Traffic, second: NDArray[np.floating]) -> NDArray[np.floating]:
    """[seconds] open sessions, without the surge."""
    hours, shares = zip(*_HILLS, strict=True)
    curve: NDArray[np.floating] = np.interp(second / 3600, hours, shares)
    return peak * (traffic.night_share + (1 - traffic.night_share) * curve)


def arrivals_per_s(peak: float, traffic: Traffic, seconds: int = DAY_S) -> NDArray[np.floating]:
    """[seconds] new sessions a second that keep the target while sessions end, and the surge's."""
    now = np.arange(seconds, dtype=float)
    target = target_sessions(peak, traffic, now)
    rate = np.maximum(np.gradient(target) + target / traffic.session_s, 0.0)
    surge = (now >= SURGE_AT_S) & (now < SURGE_AT_S + traffic.surge_s)
    return rate + surge * (peak * traffic.surge_share / traffic.surge_s)
