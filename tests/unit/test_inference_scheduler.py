"""Running responses in, the plan of the next step out: pace, backpressure, and what an underrun forbids."""

from typing import Any

import pytest

from a2llm.engine import Plan
from a2serve.inference.pace import LOOK_AGAIN_S, Pace, Progress
from a2serve.inference.scheduler import MOST_UNREAD, Scheduler

AT_ONCE = 48


class Running:
    """A response of which the scheduler sees this progress; it has begun, and is low on words."""

    begun = is_low_on_words = True
    waits_for_words = False

    def __init__(self, lead_s: float, made_s: float = 10.0, waits_s: float | None = None, unread: int = 0) -> None:
        self.response, self.unread = self, unread
        self._progress = Progress(made_s, lead_s, waits_s)

    def progress(self, now_s: float) -> Progress:
        assert now_s == 5.0
        return self._progress


class Wordless(Running):
    """One that waits for given words, and may do so for 7 s; it has no lead left."""

    waits_for_words = True
    is_low_on_words = False

    def words_due_s(self, now_s: float) -> float:
        return 12.0 - now_s


def scheduler() -> Scheduler:
    return Scheduler(Pace(), AT_ONCE, 8)


def plan(*running: Any) -> Plan | None:
    return scheduler().plan(running, 5.0)


def idle_s(*running: Any) -> float | None:
    return scheduler().idle_s(running, 5.0)


def test_a_response_far_ahead_pauses_and_reads_ahead_with_those_that_go_on():
    near, far = Running(1.0), Running(4.1)
    assert plan(near, far) == Plan((near,), (), (near, far), 8)  # pyright: ignore[reportArgumentType]


def test_there_is_no_plan_while_all_pause_and_the_engine_sleeps_until_the_first_goes_on():
    running = [Running(4.5), Running(4.2)]
    assert plan(*running) is None
    assert idle_s(*running) == pytest.approx(4.2 - 3.0)


def test_without_responses_there_is_no_plan_and_the_engine_sleeps_until_it_is_asked():
    assert (plan(), idle_s()) == (None, None)


def test_a_response_whose_reader_does_not_keep_up_sits_the_step_out():
    slow = Running(0.8, unread=MOST_UNREAD + 1)
    assert plan(slow) is None and idle_s(slow) == LOOK_AGAIN_S
    assert plan(Running(0.8, unread=MOST_UNREAD)) is not None


def test_near_an_underrun_sound_is_cheap_and_paused_responses_do_not_read_ahead():
    low, full = Running(0.05), Running(3.0)
    assert plan(low, full) == Plan((low,), (), (low,), 4)  # pyright: ignore[reportArgumentType]


def test_as_many_may_wait_as_the_smallest_lead_has_space_for():
    made = scheduler()
    before = made.waiting_limit
    made.plan([Running(0.6)], 5.0)  # pyright: ignore[reportArgumentType]
    assert 0 < made.waiting_limit < before
    made.plan([Running(0.1)], 5.0)  # pyright: ignore[reportArgumentType]
    assert made.waiting_limit == 0
    for _ in range(50):
        made.note_first_sound(0.02)
    made.plan([Running(4.0)], 5.0)  # pyright: ignore[reportArgumentType]
    assert made.waiting_limit > before


def test_a_response_that_waits_for_words_takes_no_part_and_is_no_load_to_others():
    assert plan(Wordless(-3.0)) is None
    assert idle_s(Wordless(-3.0)) == 7.0
    far = Running(1.0)
    assert plan(far, Wordless(-3.0)) == plan(far) == Plan((far,), (), (far,), 8)  # pyright: ignore[reportArgumentType]
