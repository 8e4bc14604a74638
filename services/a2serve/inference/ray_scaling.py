"""Number of replicas wanted, by the slots and the ears in use and by what has to wait. Imports nothing heavy: Ray's controller runs it.

CPU says little here: an engine step costs about the same for one stream as for four.
"""

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, Protocol

# What a replica tells:
SLOTS, SPEAKING, REFUSED, FRL_MS = "slots", "speaking", "refused", "frl_ms"
EARS, HEARING, EAR_WAIT_MS = "ears", "hearing", "ear_wait_ms"  # workers; jobs that they have, or that wait for them; how long
REFUSED_MEMORY_S = 2.0
LATE_MEMORY_S = 10.0
EAR_LIMIT_MS = 200.0  # as long as a reading takes


class Context(Protocol):
    """The part of Ray's AutoscalingContext that is read."""

    @property
    def aggregated_metrics(self) -> Mapping[str, Mapping[Any, float]] | None: ...
    @property
    def target_num_replicas(self) -> int: ...


class SlotsPolicy:
    """Ray's autoscaling policy of the deployment; delays and bounds are Ray's.

    Enough replicas that at most `share` of the slots speak and at most that much of the ears is in use; more than there are while
    anybody is refused, or while at a tenth of them first packets take longer than `frl_limit_ms`, or sound waits longer than
    EAR_LIMIT_MS for an ear.
    """

    def __init__(self, share: float, frl_limit_ms: float) -> None:
        self._share, self._limits_ms = share, {FRL_MS: frl_limit_ms, EAR_WAIT_MS: EAR_LIMIT_MS}

    def __call__(self, context: Context) -> tuple[int, dict[str, Any]]:
        reported = context.aggregated_metrics or {}
        slots, speaking, refused, ears, hearing = (reported.get(name, {}) for name in (SLOTS, SPEAKING, REFUSED, EARS, HEARING))
        if not slots:
            return context.target_num_replicas, {}
        late = {replica for name, limit_ms in self._limits_ms.items() for replica, ms in reported.get(name, {}).items() if ms > limit_ms}
        strained = sum(refused.values()) > 0 or len(late) >= math.ceil(len(slots) / 10)  # among many, one is always late
        kinds = [(slots, speaking), *([(ears, hearing)] if ears else [])]
        return max(wanted_replicas(len(slots), max(size.values()), sum(used.values()), strained, self._share) for size, used in kinds), {}


def wanted_replicas(replicas: int, slots: float, speaking: float, strained: bool, share: float) -> int:
    """For `replicas` with `slots` each, where `speaking` slots are in use in all; a tenth more than there are while it is `strained`.

    infra/capacity simulates this very function.
    """
    enough = math.ceil(speaking / (share * slots) - 1e-6)
    return max(1, enough, replicas + math.ceil(replicas / 10) if strained else 0)


class Load:
    """Load that one replica reports: its slots and ears, how many are in use, whether a request was refused just now, the slowest of the
    latest first packets, and how long sound waited for an ear (the mean: two sentences that end at once are no news).

    A request counts as refused if it had no other replica to go to. A full replica alone is no news: the gateway asks the next one, and
    among many there is always one that is full.
    """

    def __init__(self) -> None:
        self._refused: deque[float] = deque(maxlen=1000)
        self._frl: deque[tuple[float, float]] = deque(maxlen=100)
        self._ear_waits: deque[tuple[float, float]] = deque(maxlen=1000)

    def refused(self) -> None:
        self._refused.append(time.monotonic())

    def first_packet(self, took_ms: float) -> None:
        self._frl.append((time.monotonic(), took_ms))

    def ear_waited(self, waited_ms: float) -> None:
        self._ear_waits.append((time.monotonic(), waited_ms))

    def reported(self, slots: int, speaking: int, ears: int, hearing: int) -> dict[str, float]:
        now_s = time.monotonic()
        refused = sum(at_s > now_s - REFUSED_MEMORY_S for at_s in self._refused)
        return {
            SLOTS: float(slots),
            SPEAKING: float(speaking),
            REFUSED: float(refused),
            FRL_MS: max(_latest(self._frl, now_s)),
            EARS: float(ears),
            HEARING: float(hearing),
            EAR_WAIT_MS: fmean(_latest(self._ear_waits, now_s)),
        }


def _latest(waits: Iterable[tuple[float, float]], now_s: float) -> list[float]:
    """In ms; at least one."""
    return [ms for at_s, ms in waits if at_s > now_s - LATE_MEMORY_S] or [0.0]
