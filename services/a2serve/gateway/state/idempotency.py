"""`Idempotency-Key`: the first response to a POST is kept, and given again to a client that repeats the request.

The same key with another body, or while the first is still being worked on, is a conflict. Failures are not kept, and of what
was streamed only what was sent to its end and is not too much.
"""

import hashlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, cast

from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.responses import Response, StreamingResponse

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.stored import Stored

STREAMED = -1  # answered, but the answer went out as it was made, and is not kept
KEEP_S = 24 * 3600
REPLAYED = "idempotency-replayed"
CLAIM_S = 300  # longer than any request may take; a replica that died blocks its key so long
LARGEST_BYTES = 4 << 20
LARGEST_FOUND_BYTES = 64 << 10  # of an answer that tells of something that can be read


# An answer of a session that was deleted meanwhile is not kept: it may hold what was said. KEYS: answer, the session's answers, deleted.
_KEEP_OF_SESSION = """
if redis.call('EXISTS', KEYS[3]) == 1 then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('SADD', KEYS[2], KEYS[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
"""


class _Kept(BaseModel):
    """Entry in Redis; without a response yet while `status` is 0. The body stands behind it, after a line end."""

    fingerprint: str
    claim: str = ""  # of the request that is worked on
    status: int = 0
    media_type: str = ""
    location: str = ""


class Idempotency:
    """Repeats responses to requests with an Idempotency-Key; one per gateway."""

    def __init__(self, redis: "Redis", stored: Stored) -> None:
        self._redis: Any = redis
        self._stored = stored
        self._keep_of_session: Any = redis.register_script(_KEEP_OF_SESSION)

    async def run(
        self, tenant: str, name: str | None, request: bytes, work: Callable[[], Awaitable[Response]], session_id: str = ""
    ) -> Response:
        """Returns `work`'s response, or the first response to `name`. `request` is what must be the same: method, path and body.

        `session_id`: the session of the response, where that is known before.
        """
        if name is None:
            return await work()
        key, fingerprint = redis_keys.idempotency(tenant, name), hashlib.sha256(request).hexdigest()
        claim = _Kept(fingerprint=fingerprint, claim=uuid.uuid4().hex).model_dump_json().encode()
        if not await self._redis.set(key, claim, nx=True, ex=CLAIM_S):
            held = await self._redis.get(key)
            if held != claim:  # else it is ours: it was sent twice, since the answer to the first time was lost
                return self._first(held, fingerprint)
        try:
            response = await work()
        except BaseException:
            await self._redis.delete(key)
            raise
        await self._keep(key, fingerprint, response, tenant, session_id or _made(response))
        return response

    async def forget(self, tenant: str, session_id: str) -> None:
        """All answers of a session that was deleted, or of a persona (see `of_persona`)."""
        responses = redis_keys.responses_of(tenant, session_id)
        names = await self._redis.smembers(responses)
        await self._redis.delete(responses, *names)
        if names:
            await self._redis.zadd(redis_keys.stored_responses(tenant), dict.fromkeys(names, 0), xx=True)  # as in SessionStore.delete

    async def _keep(self, key: str, fingerprint: str, response: Response, tenant: str, session_id: str) -> None:
        if response.status_code >= 300:
            await self._redis.delete(key)
            return
        location = response.headers.get("location", "")
        kept = _Kept(
            fingerprint=fingerprint,
            status=response.status_code,
            media_type=response.headers["content-type"],
            location=location,
        )
        if isinstance(response, StreamingResponse):
            await self._keep_none(key, kept)
            response.body_iterator = self._keep_stream(
                cast(AsyncGenerator[bytes, None], response.body_iterator), kept, key, tenant, session_id
            )
            return
        body = bytes(getattr(response, "body", b""))
        if len(body) > (LARGEST_FOUND_BYTES if location else LARGEST_BYTES):
            await self._keep_none(key, kept)
        else:
            await self._write(key, kept, body, tenant, session_id)

    async def _keep_stream(
        self, pieces: AsyncGenerator[bytes, None], kept: "_Kept", key: str, tenant: str, session_id: str
    ) -> AsyncGenerator[bytes, None]:
        """The same pieces; kept after the last one."""
        body = bytearray()
        async with aclosing(pieces):
            async for piece in pieces:
                if len(body) <= LARGEST_BYTES:
                    body += piece
                yield piece
        if len(body) <= LARGEST_BYTES:
            with suppress(RedisError):  # a client that has heard it all does not ask again
                await self._write(key, kept, bytes(body), tenant, session_id)

    async def _keep_none(self, key: str, kept: "_Kept") -> None:
        """Only that it was carried out, and where its outcome is."""
        marker = _Kept(fingerprint=kept.fingerprint, status=STREAMED, location=kept.location)
        await self._redis.set(key, marker.model_dump_json(), ex=KEEP_S)

    async def _write(self, key: str, kept: "_Kept", body: bytes, tenant: str, session_id: str) -> None:
        if not await self._stored.takes_response(tenant, key, len(body), KEEP_S):
            await self._keep_none(key, kept)
            return
        raw = kept.model_dump_json().encode() + b"\n" + body
        if not session_id:
            await self._redis.set(key, raw, ex=KEEP_S)
            return
        of_session = [redis_keys.responses_of(tenant, session_id), redis_keys.deleted(tenant, session_id)]
        await self._keep_of_session(keys=[key, *of_session], args=[raw, KEEP_S])

    @staticmethod
    def _first(raw: bytes | None, fingerprint: str) -> Response:
        head, _, body = (raw or b"").partition(b"\n")
        kept = _Kept.model_validate_json(head) if head else None
        if kept is None or (kept.status == 0 and kept.fingerprint == fingerprint):
            raise Problem(Code.CONFLICT, "the first request with this Idempotency-Key is still being worked on", retry_after_ms=1000)
        if kept.fingerprint != fingerprint:
            raise Problem(Code.CONFLICT, "this Idempotency-Key was used for another request", param="Idempotency-Key")
        if kept.status == STREAMED:
            detail = "this request was carried out; its answer is being streamed, was not heard to its end, or is too large to keep"
            found = f": read {kept.location}" if kept.location else ""
            raise Problem(Code.CONFLICT, detail + found)
        headers = {REPLAYED: "true"} | ({"location": kept.location} if kept.location else {})
        return Response(body, kept.status, headers, kept.media_type)


def of_persona(name: str) -> str:
    """In place of a session's id, for `forget`."""
    return f"persona.{name}"


def _made(response: Response) -> str:
    """Names what the response says was made: the id of a session, or `of_persona`."""
    *_, kind, name = ("", "", *response.headers.get("location", "").split("/"))
    return {"sessions": name, "personas": of_persona(name)}.get(kind, "")
