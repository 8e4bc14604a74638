"""Every session by itself, event by event (a heap of events): affinity, places that are asked one after the other, retries, drains.

Says what `crowd` may leave out. For thousands of sessions and hours, not for millions and days.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from capacity.crowd import CONTROL_S, PLACES
from capacity.day import arrivals_per_s
from capacity.fleet import Autoscaler, Fleet
from capacity.inputs import Hardware, Inputs, Scaling
from capacity.outcome import Outcome


@dataclass(eq=False)
class Replica:
    """`born`: how many there had been before it."""

    slots: int
    born: int
    speaking: int = 0

    def take(self) -> bool:
        """A slot, if one is free."""
        free = self.speaking < self.slots
        self.speaking += free
        return free


@dataclass(eq=False)
class Session:
    """`home`: the replica that has its KV cache; `knows`: how many replicas there had ever been when it asked last."""

    home: Replica | None = None
    knows: int = 0
    retries: int = 0


@dataclass
class Simulation:
    """Event simulation of one cell."""

    inputs: Inputs
    hardware: Hardware
    scaling: Scaling
    peak: float
    seconds: int
    begin_s: int = 0  # second of the day
    seed: int = 0
    outcome: Outcome = field(init=False)

    def __post_init__(self) -> None:
        traffic, busy = self.inputs.traffic, self.inputs.speaking_share
        self._random, self._order, self._events = random.Random(self.seed), count(), list[tuple[float, int, Callable[[], None]]]()
        self._rate = arrivals_per_s(self.peak, traffic)[self.begin_s :]
        open_now = int(self._rate[0] * traffic.session_s)
        start = int(open_now * busy / (self.scaling.share * self.hardware.slots)) + 2
        self._fleet = Fleet(self.hardware, start)
        most = 20 * int(self.peak * busy / self.hardware.slots + 1) + 10
        self._autoscaler = Autoscaler(self.scaling, self.hardware.slots, 1, most)
        self._born, self._now_s, self._open, self._busy, self._refused_now = 0, 0.0, 0, 0, False
        self._replicas = [self._new_replica() for _ in range(start)]
        self._most_retries = round(traffic.patience_s / traffic.retry_s)
        self.outcome = Outcome(0, 0, 0, np.zeros(self._most_retries + 1), 0, 0, 0, 0)
        for _ in range(open_now):
            self._arrive()

    def run(self) -> Outcome:
        """Simulates to the end of the day and returns the outcome."""
        self._at(0, self._control)
        self._at(0, self._next_arrival)
        while self._events and self._events[0][0] < self.seconds:
            at_s, _, event = heapq.heappop(self._events)
            self._account(at_s - self._now_s)
            self._now_s = at_s
            event()
        return self.outcome

    def _account(self, lasted_s: float) -> None:
        outcome = self.outcome
        outcome.speaking_s += lasted_s * self._busy
        outcome.slots_s += lasted_s * len(self._replicas) * self.hardware.slots
        outcome.paid_s += lasted_s * self._fleet.paid
        outcome.sessions_s += lasted_s * self._open

    def _at(self, delay_s: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now_s + delay_s, next(self._order), event))

    def _soon(self, mean_s: float, event: Callable[[], None]) -> None:
        self._at(self._random.expovariate(1 / mean_s), event)

    # --- sessions ----------------------------------------------------------------------------------------------------

    def _next_arrival(self) -> None:
        """By the rate of this second."""
        rate = max(float(self._rate[min(int(self._now_s), len(self._rate) - 1)]), 1e-9)
        wait_s = self._random.expovariate(rate)
        if wait_s > 1:  # the rate may have changed by then
            self._at(1, self._next_arrival)
        else:
            self._at(wait_s, self._come)

    def _come(self) -> None:
        self._arrive()
        self._next_arrival()

    def _arrive(self) -> None:
        self._open += 1
        self._rest(Session())

    def _rest(self, session: Session) -> None:
        """Until it asks or leaves, whichever comes first."""
        asks_s = self._random.expovariate(1 / self.inputs.quiet_s)
        ends_s = self._random.expovariate(1 / (self.inputs.traffic.session_s * (1 - self.inputs.speaking_share)))
        if ends_s < asks_s:
            self._at(ends_s, self._leave)
        else:
            self._at(asks_s, lambda: self._ask(session))

    def _leave(self) -> None:
        self._open -= 1

    def _ask(self, session: Session) -> None:
        if session.retries == 0:
            self.outcome.asked += 1
        replica = self._place(session)
        if replica:
            self._speak(session, replica)
        else:
            self._wait(session)

    def _place(self, session: Session) -> Replica | None:
        """Its own, where that is still there; then others."""
        if session.home not in self._replicas or self._moves(session):
            session.home = self._random.choice(self._replicas)
        session.knows = self._born
        others = self._random.choices(self._replicas, k=PLACES - 1)  # where other keys lead to; perhaps to the same one
        return next((replica for replica in (session.home, *others) if replica and replica.take()), None)

    def _moves(self, session: Session) -> bool:
        """Consistent hashing gives a share of the sessions to replicas that have come since."""
        new = sum(replica.born >= session.knows for replica in self._replicas)
        return new > 0 and self._random.random() < new / len(self._replicas)

    def _speak(self, session: Session, replica: Replica) -> None:
        self.outcome.waits[session.retries] += 1
        session.retries, session.home = 0, replica
        self._busy += 1
        self._soon(self.inputs.busy_s, lambda: self._done(session, replica))

    def _done(self, session: Session, replica: Replica) -> None:
        replica.speaking -= 1
        self._busy -= 1
        self._rest(session)

    def _wait(self, session: Session) -> None:
        self.outcome.refused += session.retries == 0
        self._refused_now = True
        session.retries += 1
        if session.retries > self._most_retries:
            self.outcome.lost += 1
            session.retries = 0
            self._rest(session)
        else:
            self._at(self.inputs.traffic.retry_s, lambda: self._ask(session))

    # --- replicas ----------------------------------------------------------------------------------------------------

    def _new_replica(self) -> Replica:
        self._born += 1
        return Replica(self.hardware.slots, self._born - 1)

    def _control(self) -> None:
        self._fleet.tick(self._now_s)
        self._replicas += [self._new_replica() for _ in range(self._fleet.ready - len(self._replicas))]
        speaking = sum(replica.speaking for replica in self._replicas)
        target = self._fleet.target
        wanted = self._autoscaler.decide(self._now_s, len(self._replicas), target, speaking, self._refused_now)
        self._refused_now = False
        if wanted != target:
            leaving = self._fleet.go_to(wanted, self._now_s)
            del self._replicas[len(self._replicas) - leaving :]
        self._at(CONTROL_S, self._control)
