"""POST /v1/sessions/{id}/turns: one turn of a conversation, as a stream of the socket's events or as one JSON."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from redis.exceptions import RedisError
from starlette.responses import Response

from a2serve.contracts.client_events import ClientEventBase, InputAudioAppend, InputAudioCommit, ItemCreate, ResponseCreate
from a2serve.contracts.events import name_of, write_event
from a2serve.contracts.items import ContentPart, FunctionCallOutputItem, MessageItem
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import OutputItemAdded, ResponseDone, ServerEventBase
from a2serve.contracts.session_config import A2Config, AudioPcm, SessionConfig, Transcription
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.access.limits import Lease
from a2serve.gateway.hearing.sound_files import read_wav
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.realtime.connection.headless_turn import HeadlessTurn
from a2serve.gateway.realtime.response.settings import check_extension
from a2serve.gateway.realtime.session.collaborators import Identity
from a2serve.gateway.rest.dependencies import ApiCaller, IdempotencyKey, Parts, once, problems
from a2serve.gateway.rest.guarded import GuardedRoute
from a2serve.gateway.rest.sessions import SessionId, existing
from a2serve.gateway.rest.turn_collector import TurnCollector, problem_of
from a2serve.gateway.rest.turn_models import TurnBody, TurnCreate
from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.saved_session import SavedSession

router = APIRouter(prefix="/sessions", tags=["sessions"], route_class=GuardedRoute)
CHUNK_BYTES = 480_000  # ten seconds of audio per event
# Before one of these it is not known whether the turn will work, so that a refusal can still be told by status.
BEGUN = (OutputItemAdded, ResponseDone)
EVENTS = {"text/event-stream": {"schema": {"type": "string", "description": "`event: <type>`, `data: <JSON>`, as on the socket"}}}


@router.post(
    "/{session_id}/turns",
    summary="Say something and be answered",
    response_model=TurnBody,
    responses={200: {"description": "The answer", "content": EVENTS}}
    | problems(
        Code.INVALID_JSON,
        Code.NOT_FOUND,
        Code.CONFLICT,
        Code.RESPONSE_ACTIVE,
        Code.BODY_TOO_LARGE,
        Code.EVENT_TOO_LARGE,
        Code.UNSUPPORTED_MEDIA,
        Code.INVALID_AUDIO,
        Code.CONCURRENCY,
        Code.NO_CAPACITY,
        Code.UNAVAILABLE,
        Code.TIMEOUT,
        Code.STORAGE_FULL,
    ),
)
async def create_turn(
    request: Request, session_id: SessionId, body: TurnCreate, parts: Parts, caller: ApiCaller, key: IdempotencyKey = None
) -> Response:
    """Text or audio in. Out, as fast as the model is: with `stream` the Realtime events of the response, else one JSON with
    text, audio and motion. Closing the stream cancels the response; what was sent of it stays in the conversation."""
    _check_size(len(await request.body()), body, parts.collaborators.limits.max_event_bytes)
    return await once(parts, caller, request, key, lambda: _turn(parts, caller, session_id, body))


def _check_size(body_bytes: int, body: TurnCreate, most_bytes: int) -> None:
    """Bounds everything but the sound, which becomes events of the session. Raises Problem(event_too_large)."""
    event_bytes = body_bytes - (len(body.audio.data) if body.audio else 0)
    if event_bytes > most_bytes:
        raise Problem(Code.EVENT_TOO_LARGE, f"all but the audio may have {most_bytes} bytes; here it has {event_bytes}")


async def _turn(parts: GatewayParts, caller: Principal, session_id: str, body: TurnCreate) -> Response:
    parts.refuse_while_draining()
    with parts.load_shedding.admitted(caller.tenant):
        return await _ask(parts, caller, session_id, body)


async def _ask(parts: GatewayParts, caller: Principal, session_id: str, body: TurnCreate) -> Response:
    head = await existing(parts, caller, session_id)
    asked = _events_of(body)
    async with AsyncExitStack() as held:
        await _take_floor(parts, caller.tenant, session_id, held)
        holder = f"turn_{secrets.token_hex(10)}"
        await held.enter_async_context(parts.limits.session(caller.tenant, caller.limits, Lease(session_id, holder)))
        identity = Identity(session_id, caller.tenant, holder, head.owner)
        claimed, info = await asyncio.gather(parts.sessions.claim(identity), parts.inference.lately())
        saved = claimed or SavedSession(head.config, [])
        config = _turn_config(SessionConfig.from_store(saved.config), body)
        check_extension(config, info)
        turn = HeadlessTurn(identity, config, saved, parts.collaborators, info)
        over = parts.background.start(lambda: turn.run(asked, parts.settings.request_timeout_s), held.pop_all(), f"turn {session_id}")
    if not body.stream:
        return await _whole(turn, over, session_id, body)
    return await _stream(turn, over)


async def _whole(turn: HeadlessTurn, over: asyncio.Task[None], session_id: str, body: TurnCreate) -> Response:
    collector = TurnCollector(session_id, body.audio_format)
    try:
        async for event in turn.events():
            collector.take(event)
    finally:
        turn.leave()
        await asyncio.wait([over])
    return JSONResponse(collector.body().model_dump(mode="json"))


async def _stream(turn: HeadlessTurn, over: asyncio.Task[None]) -> Response:
    """Raises Problem where the turn fails before anything was answered."""
    events, first = _done_when_over(turn, over), list[ServerEventBase]()
    try:
        async for event in events:
            if problem := problem_of(event):
                raise problem
            first.append(event)
            if isinstance(event, BEGUN):
                break
    except BaseException:
        turn.leave()
        await asyncio.wait([over])
        raise
    return StreamingResponse(_lines(turn, first, events), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def _done_when_over(turn: HeadlessTurn, over: asyncio.Task[None]) -> AsyncIterator[ServerEventBase]:
    """Yields the turn's events. A client may send its next request as soon as it has the last one, so the floor is free by then."""
    last: list[ServerEventBase] = []
    async for event in turn.events():
        if last or isinstance(event, ResponseDone):
            last.append(event)
        else:
            yield event
    await asyncio.wait([over])
    for event in last:
        yield event


async def _lines(turn: HeadlessTurn, first: list[ServerEventBase], events: AsyncIterator[ServerEventBase]) -> AsyncIterator[bytes]:
    try:
        for event in first:
            yield _line(event)
        async for event in events:
            yield _line(event)
    finally:
        turn.leave()


def _line(event: ServerEventBase) -> bytes:
    return f"event: {name_of(event)}\ndata: {write_event(event)}\n\n".encode()


async def _take_floor(parts: GatewayParts, tenant: str, session_id: str, held: AsyncExitStack) -> None:
    """One turn at a time. Raises Problem(conversation_already_has_active_response)."""
    lock = parts.redis.lock(redis_keys.busy(tenant, session_id), timeout=parts.settings.request_timeout_s + 30, blocking=False)
    token = secrets.token_hex(16).encode()
    if not await lock.acquire(token=token):
        if await parts.redis.get(lock.name) != token:  # else it was sent twice, since the answer to the first time was lost
            raise Problem(Code.RESPONSE_ACTIVE, "another turn of this session is in progress", retry_after_ms=1000)
        lock.local.token = token

    async def leave() -> None:
        with suppress(RedisError):  # it lapses
            await lock.release()

    held.push_async_callback(leave)


def _turn_config(config: SessionConfig, body: TurnCreate) -> SessionConfig:
    """The session's settings for a client that sends whole turns and plays nothing."""
    own = config.a2 or A2Config(events=False)
    motion = body.motion or (own.motion if own.events else None)
    events = own.events or motion is not None or not body.stream
    a2 = own.model_copy(update={"motion": motion, "events": events, "binary": False, "burst": True, "listening": False})
    transcription = config.audio.input.transcription or (Transcription() if not body.stream else None)
    sound_in = config.audio.input.model_copy(update={"turn_detection": None, "format": AudioPcm(), "transcription": transcription})
    sound_out = config.audio.output if body.stream else config.audio.output.model_copy(update={"format": AudioPcm()})
    audio = config.audio.model_copy(update={"input": sound_in, "output": sound_out})
    return config.model_copy(update={"audio": audio, "a2": a2})


def _events_of(body: TurnCreate) -> list[ClientEventBase]:
    """Events that a client of the socket would send. Raises Problem(invalid_audio)."""
    outputs = [FunctionCallOutputItem(id=_item_id(), call_id=given.call_id, output=given.output) for given in body.tool_outputs]
    events: list[ClientEventBase] = [ItemCreate(item=item) for item in outputs]
    if body.text is not None:
        part = ContentPart(type="input_text", text=body.text)
        events.append(ItemCreate(item=MessageItem(id=_item_id(), role="user", content=[part])))
    if body.audio is not None:
        pcm16 = _pcm16(body)
        events += [InputAudioAppend(audio=pcm16[start : start + CHUNK_BYTES]) for start in range(0, len(pcm16), CHUNK_BYTES)]
        events.append(InputAudioCommit())
    return [*events, ResponseCreate(response=body.response)]


def _item_id() -> str:
    return f"item_{secrets.token_hex(10)}"


def _pcm16(body: TurnCreate) -> bytes:
    assert body.audio is not None
    try:
        data = base64.b64decode(body.audio.data, validate=True)
    except (binascii.Error, ValueError):
        raise Problem(Code.INVALID_AUDIO, "the audio is not base64", param="audio.data") from None
    if body.audio.format == "wav":
        return read_wav(data)
    if len(data) % 2:
        raise Problem(Code.INVALID_AUDIO, "PCM16 has two bytes per sample", param="audio.data")
    return data
