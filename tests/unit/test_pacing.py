"""The played position and when packets may leave."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from a2serve.gateway.realtime.response.pacing import PATIENCE_MS, Pacer, PlaybackClock


def test_the_clock_runs_from_the_first_packet_and_stops_at_what_was_sent():
    clock = PlaybackClock()
    assert clock.advance(500) == 0
    clock.sent(50, 1000)
    assert clock.advance(1030) == 30
    assert clock.advance(1200) == 50  # ran dry
    clock.sent(100, 1300)
    assert clock.advance(1310) == 60  # an underrun moves the clock
    assert not clock.at_end


def test_the_client_knows_better():
    clock = PlaybackClock()
    clock.sent(1000, 0)
    clock.report(200, 500)
    assert clock.advance(600) == 300
    clock.report(5000, 700)
    assert clock.played_ms == 1000  # cannot have played what was not sent
    clock.report(900, 800, finished=True)
    assert clock.at_end


def test_a_response_behind_another_starts_after_it():
    clock = PlaybackClock(not_before_ms=2000)
    clock.sent(500, 1000)
    assert clock.advance(1900) == 0
    assert clock.advance(2100) == 100


@given(st.lists(st.tuples(st.sampled_from(["sent", "report", "advance"]), st.floats(0, 500)), max_size=40))
def test_played_never_passes_sent_and_never_goes_back_by_itself(steps):
    clock, now_ms, last = PlaybackClock(), 0.0, 0.0
    for kind, value in steps:
        now_ms += value
        if kind == "sent":
            clock.sent(clock.sent_ms + value, now_ms)
        elif kind == "report":
            clock.report(value, now_ms)
            last = clock.played_ms
        clock.advance(now_ms)
        assert last <= clock.played_ms <= clock.sent_ms
        last = clock.played_ms


def test_a_held_pacer_lets_nothing_go_until_resumed():
    async def scene() -> None:
        pacer = Pacer(lambda: 0.0)
        pacer.hold()
        waiting = asyncio.create_task(pacer.due(0))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        pacer.resume()
        await asyncio.wait_for(waiting, 1)

    asyncio.run(scene())


def test_the_lead_is_bounded_and_burst_is_not():
    async def scene() -> None:
        now = [0.0]
        pacer = Pacer(lambda: now[0], lead_ms=1500)
        await pacer.due(0)
        pacer.sent(50)
        await asyncio.wait_for(pacer.due(1500), 1)
        late = asyncio.create_task(pacer.due(1600))
        await asyncio.sleep(0.02)
        assert not late.done()
        pacer.sent(1500)
        pacer.report(200)
        await asyncio.wait_for(late, 1)
        burst = Pacer(lambda: 0.0, burst=True)
        await asyncio.wait_for(burst.due(60_000), 1)
        burst.sent(60_000)
        assert burst.played_ms() == 60_000

    asyncio.run(scene())


def test_a_player_that_says_it_does_not_move_holds_nothing_for_ever():
    """A client that reported played_ms 0 again and again held a slot of the model for an hour."""

    async def scene() -> None:
        now = [0.0]
        pacer = Pacer(lambda: now[0], lead_ms=1500)
        pacer.sent(1500)
        for now[0] in range(1000, int(PATIENCE_MS) + 4000, 1000):
            pacer.report(0)
        assert pacer.played_ms() == 0, "what was heard is still the client's word"
        await asyncio.wait_for(pacer.due(4400), 1)
        late = asyncio.create_task(pacer.due(60_000))
        await asyncio.sleep(0.02)
        assert not late.done(), "and no faster than real time"
        late.cancel()

    asyncio.run(scene())


def test_what_was_held_does_not_rush_out_afterwards():
    async def scene() -> None:
        now = [0.0]
        pacer = Pacer(lambda: now[0], lead_ms=1500)
        pacer.sent(1500)
        pacer.hold()
        now[0] = 4 * PATIENCE_MS
        pacer.resume()
        pacer.report(0)
        late = asyncio.create_task(pacer.due(1600))
        await asyncio.sleep(0.02)
        assert not late.done()
        late.cancel()

    asyncio.run(scene())
