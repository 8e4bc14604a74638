"""The engine behind a Triton server: the EngineClient that a replica uses instead of LocalEngine, by Triton's own client (KServe v2).

    engine = TritonEngine("127.0.0.1:8001")    # no I/O yet; on the event loop that will use it
    await engine.start()                       # waits until the model is ready, learns its slots; raises EngineDown
    async for output in engine.respond(request): ...
    await engine.ready()                       # for health checks: Triton says READY and the engine answers
    await engine.close()

Admission, batching and pace happen behind Triton, where LocalEngine and EngineCore run; refusals come back as Refused.
One stream per response, all on one connection: closing respond() tells the engine, in a stream that goes on to its end.
A server that dies is EngineDown on every open response at once, and on every new one until it is back; nothing is to be made anew.
Sessions stay with the model version that answered them first, as long as that version is loaded; new ones take the newest.
"""
# tritonclient has no types:
# pyright: reportMissingTypeStubs=false

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast
from uuid import uuid4

import grpc
from opentelemetry.propagate import inject
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from a2llm.messages import AppendRequest, EngineDown, ResponseRequest, StepOutput
from a2serve.contracts.proto import LARGEST_MESSAGE_BYTES
from a2serve.contracts.proto import avatar_pb2 as avatar
from a2serve.contracts.proto import engine_pb2 as pb
from a2serve.contracts.proto.convert import to_wire
from a2serve.inference import triton_wire, wire
from a2serve.inference.triton_stream import Message, TritonStream

MODEL = "a2llm"
START_S = 600.0
_RESPONSE_S = 2.0  # for a question that costs the engine nothing
_LOOK_AGAIN_S = 0.1
_CLOSE_S = 1.0  # for streams that nobody listens to any more
_MOST_SESSIONS = 10_000  # whose version is remembered
# A server that comes back is found within half a second; gRPC's own patience grows to two minutes.
_OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


class _VersionGone(EngineDown):
    """The model, or the asked version of it, is not loaded."""


class TritonEngine:
    """See EngineClient. `url` is host:port of Triton's gRPC."""

    def __init__(self, url: str, model: str = MODEL) -> None:
        self._url, self._model = url, model
        self._client: Any = cast("Any", InferenceServerClient)(url, channel_args=_OPTIONS)
        self._versions: OrderedDict[str, str] = OrderedDict()  # session -> the version that answered it
        self._open: set[object] = set()
        self._streams: set[asyncio.Task[None]] = set()
        self._state = pb.EngineState()

    @property
    def slots(self) -> int:
        """Slots of the engine by its last state; 0 before start()."""
        return self._state.slots

    @property
    def speaking(self) -> int:
        """Responses in progress that came from here."""
        return len(self._open)

    @property
    def revision(self) -> str:
        """Revision of the engine's weights by its last state."""
        return self._state.revision

    def version_of(self, session_id: str) -> str:
        """The model version that answered this session last; "" for one that is not known."""
        return self._versions.get(session_id, "")

    async def start(self, wait_s: float = START_S) -> None:
        """Returns when the engine answers. Raises EngineDown if it does not within `wait_s`."""
        last_s = time.monotonic() + wait_s
        while not await self.ready():
            if time.monotonic() > last_s:
                raise EngineDown(f"model {self._model} of Triton at {self._url} was not ready within {wait_s:.0f} s")
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def ready(self) -> bool:
        """Whether Triton has the model, and the engine in it answers."""
        try:
            async with asyncio.timeout(_RESPONSE_S):
                ready = bool(await self._client.is_model_ready(self._model))
                if ready:
                    self._state = (await self._ask(pb.EngineRequest(state=pb.StateRequest()))).state
                return ready
        except (EngineDown, TimeoutError, InferenceServerException):
            return False

    async def close(self) -> None:
        """Closes the connection; responses in progress fail."""
        if self._streams:
            await asyncio.wait(self._streams, timeout=_CLOSE_S)
        await self._client.close()

    async def respond(self, request: ResponseRequest) -> AsyncGenerator[StepOutput, None]:
        """See EngineClient."""
        this = object()
        self._open.add(this)
        try:
            async with aclosing(self._responses(triton_wire.respond_request(request), request.session_id)) as responses:
                async for response in responses:
                    output = wire.read_output(response.packet)
                    if output.done:
                        self._open.discard(this)
                    yield output
                    if output.done:
                        return
            raise EngineDown(f"Triton at {self._url} ended the response before its end")
        finally:
            self._open.discard(this)

    async def append(self, request: AppendRequest) -> int:
        """See EngineClient."""
        return (await self._ask(pb.EngineRequest(append=to_wire(request)), request.session_id)).appended.received

    async def turn_end(self, words: str) -> float:
        """See EngineClient."""
        return (await self._ask(pb.EngineRequest(turn_end=pb.TurnEndRequest(words=words)))).turn_end_probability

    async def release(self, session_id: str) -> bool:
        """See EngineClient."""
        response = await self._ask(pb.EngineRequest(release=avatar.ReleaseRequest(session_id=session_id)), session_id)
        self._versions.pop(session_id, None)
        return response.released.known

    async def _ask(self, request: pb.EngineRequest, session_id: str = "") -> pb.EngineResponse:
        """Sends a request that has one answer, and returns it."""
        async with aclosing(self._responses(request, session_id)) as responses:
            async for response in responses:
                return response
        raise EngineDown(f"Triton at {self._url} did not answer")

    async def _responses(self, request: pb.EngineRequest, session_id: str) -> AsyncGenerator[pb.EngineResponse, None]:
        """Yields the answers of the version that the session is used to, or of the newest if that one is gone."""
        usual = self.version_of(session_id)
        for version in dict.fromkeys((usual, "")):
            try:
                async with aclosing(self._stream(request, version, session_id)) as responses:
                    async for response in responses:
                        yield response
                return
            except _VersionGone:
                if not version:
                    raise

    async def _stream(self, request: pb.EngineRequest, version: str, session_id: str) -> AsyncGenerator[pb.EngineResponse, None]:
        trace: dict[str, str] = {}
        inject(trace)
        name, last = f"{request.respond.response_id}/{uuid4().hex}", False
        stream = TritonStream(self._client, triton_wire.infer_request(request, name, self._model, version, trace))
        self._streams.add(stream.done)
        stream.done.add_done_callback(self._streams.discard)
        try:
            async with aclosing(stream.messages()) as messages:
                async for message in messages:
                    last = True  # whatever comes instead of an answer
                    result = self._require(message)
                    version = result.get_response().model_version
                    self._remember(session_id, version)
                    response = triton_wire.read_response(result)
                    last = triton_wire.is_last(response)
                    yield response
        except grpc.aio.AioRpcError as error:
            raise EngineDown(f"Triton at {self._url}: {error.details()}") from None
        finally:
            cancel = pb.EngineRequest(cancel=pb.CancelRequest(id=name))
            stream.leave(None if last else triton_wire.infer_request(cancel, f"{name}/cancel", self._model, version, {}))

    def _require(self, message: Message) -> Any:
        """The result. Triton's own errors come as text alone."""
        if message.error is None:
            return message.result
        text = str(message.error.message())
        raise (_VersionGone if text.startswith("Request for unknown model") else EngineDown)(f"Triton at {self._url}: {text}")

    def _remember(self, session_id: str, version: str) -> None:
        if session_id:
            self._versions[session_id] = version
            self._versions.move_to_end(session_id)
            while len(self._versions) > _MOST_SESSIONS:
                self._versions.popitem(last=False)
