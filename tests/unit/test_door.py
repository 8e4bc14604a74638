"""The door in front of the model: shut for a moment after it had no room."""

import pytest

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.access.door import SHUT_S, Door


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def ask(door: Door, code: Code | None = None, tenant: str = "a") -> None:
    with door.passed(tenant):
        if code:
            raise Problem(code, "from the model")


def test_after_a_refusal_nobody_of_the_tenant_is_let_through_for_a_moment():
    clock = Clock()
    door = Door(clock)
    ask(door)
    with pytest.raises(Problem, match="from the model"):
        ask(door, Code.NO_CAPACITY)
    clock.s += SHUT_S - 0.01
    ask(door, tenant="b")
    with pytest.raises(Problem) as refused:
        ask(door)
    assert refused.value.code is Code.NO_CAPACITY
    clock.s += 0.02
    ask(door)


def test_who_is_refused_at_the_door_keeps_it_shut_no_longer():
    clock = Clock()
    door = Door(clock)
    for step_s in (0.0, SHUT_S - 0.01):
        clock.s += step_s
        with pytest.raises(Problem):
            ask(door, Code.NO_CAPACITY)
    clock.s += 0.02
    ask(door)


def test_other_failures_leave_it_open():
    door = Door(Clock())
    with pytest.raises(Problem):
        ask(door, Code.UNAVAILABLE)
    ask(door)
