"""Settles for sockets and turns whose gateway is lost: their bill is written, what they were saying goes into the conversation.

Every gateway looks; Redis lets one of them do it, in one step with forgetting the checkpoint. While Redis was away, no gateway
could show that it is alive, so a look counts only after Redis has answered for as long as that may take.
"""

import asyncio
import logging
import time
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.outbox import KEY, TOPIC, VALUE
from a2serve.gateway.state.session_scripts import SETTLE

MOST_AT_ONCE = 100
log = logging.getLogger(__name__)


class Settling:
    """One per gateway; `run` ends only by cancellation."""

    def __init__(self, redis: "Redis", lost_after_s: float) -> None:
        self._redis: Any = redis
        self._settle: Any = redis.register_script(SETTLE)
        self._lost_after_s, self._look_s = lost_after_s, lost_after_s / 6
        self._well_since_s = time.monotonic()
        self.settled = 0

    async def run(self) -> None:
        looked_s = time.monotonic()
        while True:
            await asyncio.sleep(self._look_s)
            now_s = time.monotonic()
            if now_s - looked_s > 3 * self._look_s:  # we were away ourselves
                self._well_since_s = now_s
            looked_s = now_s
            try:
                await self._look(now_s)
            except RedisError as error:
                self._well_since_s = time.monotonic()
                log.debug("lost sockets cannot be looked for: %s", error)

    async def _look(self, now_s: float) -> None:
        server_s, _ = await self._redis.time()
        due = await self._redis.zrangebyscore(redis_keys.OPEN, "-inf", server_s * 1000, start=0, num=MOST_AT_ONCE)
        if now_s - self._well_since_s < self._lost_after_s:
            return
        for name in due:
            await self._settle_for(name)

    async def _settle_for(self, name: bytes) -> None:
        tenant, session_id, holder = orjson.loads(name)
        keys = [
            redis_keys.session(tenant, session_id),
            redis_keys.conversation(tenant, session_id),
            redis_keys.OUTBOX,
            redis_keys.checkpoint(tenant, holder),
            redis_keys.OPEN,
        ]
        if await self._settle(keys=keys, args=[holder, name, TOPIC, KEY, VALUE]):
            self.settled += 1
            log.warning("a lost gateway's session was settled", extra={"tenant": tenant, "session_id": session_id, "holder": holder})
