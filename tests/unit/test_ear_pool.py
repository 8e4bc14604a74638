"""The threads that hear: how many at once, how many wait, and what is told of it."""

import asyncio
import threading

import pytest

from a2serve.inference.ear_pool import EarPool
from a2serve.inference.metrics import Metrics
from a2serve.inference.settings import InferenceSettings
from a2serve.telemetry import names


@pytest.mark.parametrize(("slots", "chosen", "ears"), [(1, 0, 1), (4, 0, 1), (8, 0, 2), (32, 0, 6), (192, 0, 32), (192, 3, 3)])
def test_there_are_ears_for_those_who_can_speak(slots: int, chosen: int, ears: int) -> None:
    assert InferenceSettings(slots=slots, ear_workers=chosen).ears == ears


def test_so_many_hear_at_once_and_the_others_are_seen_to_wait() -> None:
    async def scenario() -> None:
        metrics, waits, go = Metrics(), list[float](), threading.Event()
        pool = EarPool(2, metrics, waits.append)
        both = threading.Barrier(3)  # two jobs at the same time, and the test

        def job() -> int:
            both.wait(10)
            return threading.get_ident()

        def late() -> int:
            go.wait(10)
            return threading.get_ident()

        jobs = [asyncio.create_task(pool.run(work)) for work in (job, job, late)]
        while pool.jobs < 3:
            await asyncio.sleep(0)
        assert (pool.jobs, pool.waiting) == (3, 1)
        assert metrics.registry.get_sample_value(names.METRIC_INFERENCE_EARS_WAITING) == 1
        await asyncio.to_thread(both.wait, 10)
        go.set()
        assert len({*await asyncio.gather(*jobs)}) == 2
        assert (pool.jobs, pool.waiting, len(waits)) == (0, 0, 3)
        assert metrics.registry.get_sample_value(names.METRIC_INFERENCE_EAR_WORKERS) == 2
        assert metrics.registry.get_sample_value(f"{names.METRIC_INFERENCE_EAR_BUSY_SECONDS}_total") > 0
        pool.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_job_that_fails_or_is_given_up_leaves_its_place() -> None:
    async def scenario() -> None:
        pool, go = EarPool(1, Metrics()), threading.Event()
        with pytest.raises(ValueError, match="half a sample"):
            await pool.run(lambda: (_ for _ in ()).throw(ValueError("half a sample")))
        first = asyncio.create_task(pool.run(lambda: go.wait(10)))
        second = asyncio.create_task(pool.run(lambda: None))
        while pool.jobs < 2:
            await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        assert pool.jobs == 1
        go.set()
        assert await first
        assert pool.jobs == 0
        pool.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))
