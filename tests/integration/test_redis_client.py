"""Redis as the gateway uses it: a task that is told to end does, and a server that hangs is not waited for."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from support.servers.gateway import free_port, process, run, valkey_command

from a2serve.gateway.state import redis_client

TRIES = 300


def test_a_cancellation_is_never_swallowed(valkey_port: int) -> None:
    async def within() -> None:
        redis = redis_client.connect(f"redis://127.0.0.1:{valkey_port}/0")
        await redis.ping()

        async def work() -> None:
            while True:
                pipeline = redis.pipeline(transaction=True)
                pipeline.set("a", 1)
                await pipeline.execute()
                await redis.get("a")

        for attempt in range(TRIES):
            task = asyncio.create_task(work())
            for _ in range(attempt % 37):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=20)
            assert done, f"attempt {attempt} goes on"
        await redis.aclose()

    run(within)


def test_a_server_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_client, "COMMAND_S", 0.3)

    async def within() -> None:
        redis = redis_client.connect(f"redis://127.0.0.1:{port}/0")
        await redis.set("a", 1)
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(RedisError):
            await redis.get("a")
        with pytest.raises(RedisError):
            await redis.pipeline().get("a").execute()
        os.kill(server.pid, signal.SIGCONT)
        monkeypatch.setattr(redis_client, "COMMAND_S", 30.0)
        assert await redis.get("a") == b"1"
        await redis.aclose()

    port = free_port()
    with process(valkey_command(port, tmp_path), port, tmp_path / "valkey.log") as server:
        run(within)
