"""The spool on a real disk: in order, over restarts, never more than its bound."""

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from redis.exceptions import ConnectionError as RedisConnectionError

from a2serve.gateway.state.spool import Spool


class Redis:
    """Takes entries while it is there."""

    def __init__(self, most: int = 10**9) -> None:
        self.most, self.taken = most, list[dict]()

    async def take(self, entry: dict) -> None:
        if len(self.taken) >= self.most:
            raise RedisConnectionError("away")
        self.taken.append(entry)


def deliver(spool: Spool, redis: Redis) -> None:
    """Look twice."""

    async def scene() -> None:
        looked = asyncio.Event()
        pauses = iter([None, looked])

        async def pause(_: float) -> None:
            if (last := next(pauses)) is not None:
                last.set()
                await asyncio.Event().wait()

        running = asyncio.create_task(spool.run(redis.take, pause))
        async with asyncio.timeout(60):
            await looked.wait()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(scene())


def entries(count: int, start: int = 0) -> list[dict]:
    return [{"n": number} for number in range(start, start + count)]


def test_what_is_put_is_delivered_in_order_and_the_file_is_empty_again(tmp_path: Path) -> None:
    spool, redis = Spool(tmp_path / "new" / "folder", 10_000), Redis(most=3)
    assert all(spool.put(entry) for entry in entries(5))
    deliver(spool, redis)
    assert redis.taken == entries(3) and spool.waiting_bytes == 2 * len('{"n":1}\n')
    redis.most = 100
    assert spool.put({"n": 5})
    deliver(spool, redis)
    assert redis.taken == entries(6), "each once"
    assert spool.waiting_bytes == 0
    (file,) = (tmp_path / "new" / "folder").iterdir()
    assert file.stat().st_size == 0 and file.stat().st_mode & 0o777 == 0o600
    assert spool.put({"n": 6})
    deliver(spool, redis)
    assert redis.taken == entries(7)
    spool.close()
    assert not list((tmp_path / "new" / "folder").iterdir())


def test_a_dead_process_leaves_its_file_to_others_and_a_living_one_keeps_it(tmp_path: Path) -> None:
    living, dead = Spool(tmp_path, 10_000), Spool(tmp_path, 10_000)
    assert living.put({"n": 100})
    code = (
        "import sys; from pathlib import Path; from a2serve.gateway.state.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), 10_000)\n"
        "for number in range(3): assert spool.put({'n': number})\n"
        "import os; os.write(spool._file, b'{\"n\": 3'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60).returncode == -9
    redis = Redis()
    deliver(dead, redis)
    assert redis.taken == entries(3), "half a line is not an entry, and the living one's file is its own"
    assert living.waiting_bytes and len(list(tmp_path.iterdir())) == 1
    living.close()
    deliver(dead, redis)
    deliver(Spool(tmp_path, 10_000), redis)
    assert redis.taken == [*entries(3), {"n": 100}]


def test_it_says_when_it_does_not_take_something(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 30)
    assert [spool.put(entry) for entry in entries(5)] == [True, True, True, False, False]
    assert spool.dropped == 2
    spool.close()
    (tmp_path / "file").write_text("")
    nowhere = Spool(tmp_path / "file", 1000)
    assert not nowhere.put({"n": 1}) and nowhere.dropped == 1
    if os.getuid():
        assert not Spool(Path("/proc/nothing"), 1000).put({"n": 1})
