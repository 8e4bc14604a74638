"""Many cells at once, second by second: sessions are counted, not followed, so a million cost as much as a thousand.

Every session is quiet, asks, waits or speaks, with exponential times: a Markov chain whose counts move by binomial draws (tau-leaping,
Gillespie 2001). `sessions` follows each one instead; a test holds both together. A cell is one RayService: cells share nothing.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capacity.day import arrivals_per_s
from capacity.fleet import Autoscaler, Fleet
from capacity.inputs import Hardware, Inputs, Scaling
from capacity.outcome import Outcome

STEP_S = 1.0
CONTROL_S = 2
PLACES = 6  # replicas that a gateway asks, the session's own first: services/a2serve/gateway/model_client/grpc_client.py
Counts = NDArray[np.int64]


@dataclass
class Minutes:
    """[minutes, cells]: means of the minute, or sums for what is counted. `waits` is [minutes, retries], of all cells."""

    sessions: NDArray[np.float64]
    speaking: NDArray[np.float64]
    slots: NDArray[np.float64]
    paid: NDArray[np.float64]
    asked: NDArray[np.float64]
    refused: NDArray[np.float64]
    lost: NDArray[np.float64]
    waits: NDArray[np.float64]


@dataclass
class Crowd:
    """`cells` with `peak` sessions each; a Scaling of its own for each cell where policies are compared."""

    inputs: Inputs
    hardware: Hardware
    scalings: list[Scaling]
    peak: float
    seed: int = 0
    seconds: int = 86_400
    begin_s: int = 0  # second of the day
    replicas_min: int = 1
    _autoscalers: list[Autoscaler] = field(init=False)
    _fleets: list[Fleet] = field(init=False)

    def __post_init__(self) -> None:
        cells, traffic = len(self.scalings), self.inputs.traffic
        self._rng = np.random.default_rng(self.seed)
        self._rate = arrivals_per_s(self.peak, traffic)[self.begin_s :]
        open_now = int(self._rate[0] * traffic.session_s)
        self._speaking = np.full(cells, int(open_now * self.inputs.speaking_share))
        self._quiet = np.full(cells, open_now) - self._speaking
        self._leaving = np.zeros(cells, dtype=np.int64)  # speak on replicas that drain
        self._waiting = np.zeros((cells, round(traffic.patience_s / traffic.retry_s)), dtype=np.int64)
        self._day_waits = np.zeros((cells, self._waiting.shape[1] + 1))
        starts = [math.ceil(self._speaking[0] / (each.share * self.hardware.slots)) + 1 for each in self.scalings]
        most = 20 * math.ceil(self.peak * self.inputs.speaking_share / self.hardware.slots) + 10
        self._fleets = [Fleet(self.hardware, max(start, self.replicas_min)) for start in starts]
        self._ready, self._paid = self._counted()
        self._autoscalers = [Autoscaler(each, self.hardware.slots, self.replicas_min, most) for each in self.scalings]
        # Sessions end while they are quiet, so often that they last session_s on average.
        self._ends = _chance(STEP_S, traffic.session_s * (1 - self.inputs.speaking_share))
        self._full_shares = full_shares(self.hardware.slots)
        self._asks, self._done = _chance(STEP_S, self.inputs.quiet_s), _chance(STEP_S, self.inputs.busy_s)

    def run(self) -> Minutes:
        """The day; it stays in `minutes`."""
        minutes = self.minutes = self._empty()
        for second in range(self.seconds):
            at, (asked, refused, lost, waits) = second // 60, self._step(second)
            minutes.asked[at] += asked
            minutes.refused[at] += refused
            minutes.lost[at] += lost
            minutes.waits[at] += waits.sum(axis=0)
            self._day_waits += waits
            speaking = self._speaking + self._leaving
            minutes.speaking[at] += speaking
            minutes.sessions[at] += self._quiet + speaking + self._waiting.sum(axis=1)
            minutes.slots[at] += self._ready * self.hardware.slots
            minutes.paid[at] += self._paid
        for mean in (minutes.speaking, minutes.sessions, minutes.slots, minutes.paid):
            mean /= 60
        return minutes

    def outcome(self, cell: int | None = None) -> Outcome:
        """Outcome of one cell, or of all."""
        minutes = self.minutes

        def total(what: NDArray[np.float64]) -> float:
            return float(what.sum() if cell is None else what[:, cell].sum())

        waits = self._day_waits.sum(axis=0) if cell is None else self._day_waits[cell]
        return Outcome(
            total(minutes.asked),
            total(minutes.refused),
            total(minutes.lost),
            waits,
            60 * total(minutes.speaking),
            60 * total(minutes.slots),
            60 * total(minutes.paid),
            60 * total(minutes.sessions),
        )

    def _step(self, second: int) -> tuple[Counts, Counts, Counts, NDArray[np.float64]]:
        """One second of all cells: [cells] asked, refused, lost, and [cells, retries] admitted."""
        rng = self._rng
        # Full replicas, as they happen to be: their mean would hide that sometimes many are full at once.
        full = rng.binomial(self._ready, np.interp(self._speaking / self._ready, *self._full_shares)) / self._ready
        self._quiet -= rng.binomial(self._quiet, self._ends)
        asked = rng.binomial(self._quiet, self._asks)
        self._quiet += rng.poisson(self._rate[second] * STEP_S, len(self._quiet)) - asked
        for speaking in (self._speaking, self._leaving):
            done = rng.binomial(speaking, self._done)
            speaking -= done
            self._quiet += done
        refused, lost, waits = self._admit(asked, full)
        if second % CONTROL_S == 0:
            self._control(float(second), refused > 0)
        return asked, refused, lost, waits

    def _counted(self) -> tuple[Counts, Counts]:
        """[cells] replicas that are ready, at least one (the policy never has fewer), and that are paid."""
        return np.array([max(fleet.ready, 1) for fleet in self._fleets]), np.array([fleet.paid for fleet in self._fleets])

    def _admit(self, asked: Counts, full: NDArray[np.float64]) -> tuple[Counts, Counts, NDArray[np.float64]]:
        """Gives slots to requests that find one; waiting ones have the same chance as new ones."""
        waits = np.zeros((len(asked), self._waiting.shape[1] + 1))
        contending = asked + self._waiting.sum(axis=1)
        free = np.maximum(self._ready * self.hardware.slots - self._speaking, 0)
        admitted = np.minimum(self._rng.binomial(contending, 1 - full**PLACES), free)
        self._speaking += admitted
        if np.array_equal(admitted, asked) and not self._waiting.any():
            waits[:, 0] = asked
            return np.zeros_like(asked), np.zeros_like(asked), waits
        left, others = admitted, contending
        for retries, group in enumerate([asked, *self._waiting.T]):
            others = others - group
            waits[:, retries] = taken = self._rng.hypergeometric(group, others, left)
            left = left - taken
        still = np.column_stack([asked, self._waiting]) - waits.astype(np.int64)
        self._waiting, lost = still[:, :-1], still[:, -1]
        self._quiet += lost
        return still[:, 0], lost, waits

    def _control(self, now_s: float, refused: NDArray[np.bool_]) -> None:
        for cell, (fleet, autoscaler) in enumerate(zip(self._fleets, self._autoscalers, strict=True)):
            fleet.tick(now_s)
            target = fleet.target
            wanted = autoscaler.decide(now_s, fleet.ready, target, float(self._speaking[cell]), bool(refused[cell]))
            if wanted != target and (leaving := fleet.go_to(wanted, now_s)):
                moved = self._rng.binomial(self._speaking[cell], leaving / (fleet.ready + leaving))
                self._speaking[cell] -= moved
                self._leaving[cell] += moved
        self._ready, self._paid = self._counted()

    def _empty(self) -> Minutes:
        minutes, cells = math.ceil(self.seconds / 60), len(self.scalings)
        blank: Any = lambda: np.zeros((minutes, cells))  # noqa: E731
        return Minutes(*(blank() for _ in range(7)), np.zeros((minutes, self._waiting.shape[1] + 1)))


def _chance(step_s: float, mean_s: float) -> float:
    """Chance that something ends in a step, so that it lasts `mean_s` on average: it lasts whole steps, one at the least."""
    return min(step_s / mean_s, 1.0)


def full_shares(slots: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A replica's mean of speaking slots, rising, and the share of time in which all of them speak.

    A request that finds it full goes elsewhere, so a replica is a loss system (Erlang 1917): of an offered load a, mean a (1 - B),
    share B(slots, a).
    """
    offered = np.geomspace(0.01, 1000.0, 400) * slots
    blocked = np.ones_like(offered)
    for servers in range(1, slots + 1):
        blocked = offered * blocked / (servers + offered * blocked)
    return offered * (1 - blocked), blocked
