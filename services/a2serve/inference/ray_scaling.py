"""How many replicas are wanted, by the slots in use and by how late first packets come. Imports nothing heavy: Ray's controller runs it.

CPU says little here: an engine step costs about the same for one stream as for four.
"""

import math
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

SLOTS, SPEAKING, REFUSED, FRL_MS = "slots", "speaking", "refused", "frl_ms"  # what a replica tells
REFUSED_MEMORY_S = 2.0
FRL_MEMORY_S = 10.0


class Context(Protocol):
    """The part of Ray's AutoscalingContext that is read."""

    @property
    def aggregated_metrics(self) -> Mapping[str, Mapping[Any, float]] | None: ...
    @property
    def target_num_replicas(self) -> int: ...


class SlotsPolicy:
    """Ray's autoscaling policy of the deployment; delays and bounds are Ray's.

    Enough replicas that at most `share` of the slots speak; more than there are while anybody is refused, or first packets take
    longer than `frl_limit_ms` at a tenth of them.
    """

    def __init__(self, share: float, frl_limit_ms: float) -> None:
        self._share, self._frl_limit_ms = share, frl_limit_ms

    def __call__(self, context: Context) -> tuple[int, dict[str, Any]]:
        told = context.aggregated_metrics or {}
        slots, speaking, refused, frl_ms = (told.get(name, {}) for name in (SLOTS, SPEAKING, REFUSED, FRL_MS))
        if not slots:
            return context.target_num_replicas, {}
        late = sum(took_ms > self._frl_limit_ms for took_ms in frl_ms.values())
        strained = sum(refused.values()) > 0 or late >= math.ceil(len(slots) / 10)  # among many, one is always late
        return wanted_replicas(len(slots), max(slots.values()), sum(speaking.values()), strained, self._share), {}


def wanted_replicas(replicas: int, slots: float, speaking: float, strained: bool, share: float) -> int:
    """For `replicas` with `slots` each, where `speaking` slots are in use in all; a tenth more than there are while it is `strained`.

    infra/capacity simulates this very function.
    """
    enough = math.ceil(speaking / (share * slots) - 1e-6)
    return max(1, enough, replicas + math.ceil(replicas / 10) if strained else 0)


class Load:
    """What one replica tells: its slots, how many speak, who was refused just now, and the slowest of the latest first packets.

    Refused is who had no other place to go. A full replica alone is no news: the gateway asks the next one, and among many there is
    always one that is full.
    """

    def __init__(self) -> None:
        self._refused: deque[float] = deque(maxlen=1000)
        self._frl: deque[tuple[float, float]] = deque(maxlen=100)

    def refused(self) -> None:
        self._refused.append(time.monotonic())

    def first_packet(self, took_ms: float) -> None:
        self._frl.append((time.monotonic(), took_ms))

    def told(self, slots: int, speaking: int) -> dict[str, float]:
        now_s = time.monotonic()
        refused = sum(at_s > now_s - REFUSED_MEMORY_S for at_s in self._refused)
        frl_ms = [took_ms for at_s, took_ms in self._frl if at_s > now_s - FRL_MEMORY_S]
        return {SLOTS: float(slots), SPEAKING: float(speaking), REFUSED: float(refused), FRL_MS: max(frl_ms, default=0.0)}
