"""Load shedding in front of the model: requests are rejected for a moment after it was full."""

import pytest

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.access.load_shedding import SHUT_S, LoadShedding


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def ask(shedding: LoadShedding, code: Code | None = None, tenant: str = "a") -> None:
    with shedding.admitted(tenant):
        if code:
            raise Problem(code, "from the model")


def test_after_a_refusal_nobody_of_the_tenant_is_let_through_for_a_moment():
    clock = Clock()
    shedding = LoadShedding(clock)
    ask(shedding)
    with pytest.raises(Problem, match="from the model"):
        ask(shedding, Code.NO_CAPACITY)
    clock.s += SHUT_S - 0.01
    ask(shedding, tenant="b")
    with pytest.raises(Problem) as refused:
        ask(shedding)
    assert refused.value.code is Code.NO_CAPACITY
    clock.s += 0.02
    ask(shedding)


def test_a_rejected_request_does_not_prolong_the_shedding():
    clock = Clock()
    shedding = LoadShedding(clock)
    for step_s in (0.0, SHUT_S - 0.01):
        clock.s += step_s
        with pytest.raises(Problem):
            ask(shedding, Code.NO_CAPACITY)
    clock.s += 0.02
    ask(shedding)


def test_other_failures_leave_it_open():
    shedding = LoadShedding(Clock())
    with pytest.raises(Problem):
        ask(shedding, Code.UNAVAILABLE)
    ask(shedding)
