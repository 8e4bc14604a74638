"""An OpenAI-compatible chat endpoint over HTTP that says what a test wants, well or badly, and what it was asked."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

KEY = "sk-test-0123456789"
USAGE = {"prompt_tokens": 31, "completion_tokens": 7, "total_tokens": 38, "prompt_tokens_details": {"cached_tokens": 5}}


@dataclass
class Endpoint:
    """`words`: the content of each chunk. `behaviour` is one of those below, or "" for a good one."""

    words: list[str] = field(default_factory=lambda: ["Well", ", it", " is **four**", " o'clock", " 🙂."])
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])  # deltas of tool calls, one a chunk
    behaviour: str = ""
    pace_s: float = 0.0
    first_s: float = 0.0
    finish: str = "stop"
    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str] = field(default_factory=list[str])
    left: int = 0  # streams whose client went away
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def respond(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("authorization", ""))
        match self.behaviour:
            case "key":
                return JSONResponse({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401)
            case "busy":
                return JSONResponse({"error": {"message": "slow down"}}, 429, {"retry-after": "7"})
            case "broken":
                return JSONResponse({"error": {"message": KEY}}, 500)
            case "redirect":
                return RedirectResponse("http://169.254.169.254/latest/meta-data/", 307)
            case "page":
                return Response("<html>hello</html>", media_type="text/html")
            case "zipped":
                return Response(b"\x1f\x8b", media_type="text/event-stream", headers={"content-encoding": "gzip"})
            case _:
                return StreamingResponse(self._stream(), media_type="text/event-stream; charset=utf-8")

    async def _stream(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pieces():
                yield piece
        except asyncio.CancelledError:
            self.left += 1
            self.gone.set()
            raise

    async def _pieces(self) -> AsyncIterator[bytes]:
        await asyncio.sleep(self.first_s)
        match self.behaviour:
            case "garbage":
                yield b"data: {not json\n\n"
            case "list":
                yield b"data: [1, 2]\n\n"
            case "binary":
                yield b"data: \xff\xfe\x00\n\n"
            case "deep":
                yield b"data: " + b"[" * 100_000 + b"\n\n"
            case "line":
                for _ in range(100):
                    yield b"x" * 65_536
            case "error":
                yield b'data: {"error": {"message": "' + KEY.encode() + b'"}}\n\n'
            case "endless":
                while True:
                    yield self._chunk({"content": "word "})
                    await asyncio.sleep(0)
            case "comments":
                while True:
                    yield b": still here\n\n"
                    await asyncio.sleep(0.01)
            case "silent":
                await asyncio.Event().wait()
            case _:
                async for piece in self._good():
                    yield piece

    async def _good(self) -> AsyncIterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})
        for word in self.words:
            yield self._chunk({"content": word})
            await asyncio.sleep(self.pace_s)
        if self.behaviour == "cut":
            return
        for call in self.calls:
            yield self._chunk({"tool_calls": [call]})
        yield self._chunk({}, "tool_calls" if self.calls else self.finish)
        yield b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
        yield b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        body = {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        return b"data: " + json.dumps(body).encode() + b"\r\n\r\n"


@asynccontextmanager
async def endpoint_serving(endpoint: Endpoint | None = None) -> AsyncIterator[Endpoint]:
    """The endpoint behind uvicorn, at a free port of this machine."""
    endpoint = endpoint or Endpoint()
    app = FastAPI()
    app.add_api_route("/v1/chat/completions", endpoint.respond, methods=["POST"], response_model=None)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    endpoint.port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
    running = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield endpoint
    finally:
        server.should_exit = True
        await running
        listening.close()
