"""Work beside the requests, and streams read ahead: what ends is ended, what fails is told, nothing is lost on the way."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

import pytest

from a2serve.gateway.background import BackgroundTasks, every, running
from a2serve.gateway.model_client.read_ahead import read_ahead

WAIT_S = 10.0


def run(scene) -> None:
    asyncio.run(asyncio.wait_for(scene(), WAIT_S))


def test_a_loop_runs_while_inside_and_is_ended_outside() -> None:
    async def scene() -> None:
        rounds: list[int] = []

        async def work() -> None:
            rounds.append(1)

        async with running(every(0.0, work), "loop"):
            while len(rounds) < 3:
                await asyncio.sleep(0)
        done = len(rounds)
        await asyncio.sleep(0.02)
        assert len(rounds) == done

    run(scene)


def test_a_defect_of_a_loop_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async def broken() -> None:
            raise KeyError("lost")

        async with running(broken(), "the loop"):
            while "the loop ended" not in caplog.text:
                await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR):
        run(scene)
    assert "KeyError" in caplog.text


def test_a_task_leaves_what_it_holds_however_it_ends() -> None:
    async def scene() -> None:
        left: list[str] = []
        tasks = BackgroundTasks()
        for name, lasts_s in (("quick", 0.0), ("late", 1000.0)):
            held = AsyncExitStack()
            held.callback(left.append, name)
            tasks.start(lambda lasts_s=lasts_s: asyncio.sleep(lasts_s), held, name)
        await tasks.close(timeout_s=0.05)
        assert sorted(left) == ["late", "quick"], "the late one was cancelled, and left all the same"
        await tasks.close(timeout_s=0.05)

    run(scene)


async def numbers(closed: list[str], count: int = 5, fail_at: int | None = None) -> AsyncGenerator[int, None]:
    try:
        for number in range(count):
            if number == fail_at:
                raise ConnectionError("cut")
            yield number
    finally:
        closed.append("source")


def test_what_has_arrived_is_given_before_the_error_that_ended_it() -> None:
    async def scene() -> None:
        closed: list[str] = []
        taken = []
        with pytest.raises(ConnectionError, match="cut"):
            async for piece in read_ahead(numbers(closed, fail_at=3), most=10, name="t"):
                await asyncio.sleep(0)
                taken.append(piece)
        assert taken == [0, 1, 2] and closed == ["source"]

    run(scene)


def test_no_more_waits_than_there_is_space_for() -> None:
    async def scene() -> None:
        given = 0

        async def source() -> AsyncGenerator[int, None]:
            nonlocal given
            for number in range(100):
                given = number + 1
                yield number

        async with aclosing(read_ahead(source(), most=4, name="t")) as stream:
            assert await anext(stream) == 0
            await asyncio.sleep(0.02)
            assert given == 6, "one is taken, four wait, one is held by its reader"

    run(scene)


def test_closing_the_reader_closes_the_source() -> None:
    async def scene() -> None:
        closed: list[str] = []
        stream = read_ahead(numbers(closed, count=1000), most=2, name="t")
        assert await anext(stream) == 0
        await stream.aclose()
        assert closed == ["source"]

    run(scene)
