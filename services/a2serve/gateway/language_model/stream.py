"""One streamed chat completion: what it says, calls and costs. Trusts nothing that comes: every size and every wait has a bound."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from a2llm.messages import FunctionCall, Usage
from a2serve.contracts.problems import Code, Problem

MOST_BYTES, MOST_LINE_BYTES = 4 << 20, 256 << 10
MOST_CHARACTERS = 16_000  # of words: a quarter of an hour of speech
MOST_CALLS, MOST_ARGUMENTS = 16, 64 << 10
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Waits:
    """Seconds: to connect, until the first chunk, between chunks, and for all of it."""

    connect_s: float = 3.0
    first_s: float = 20.0
    pause_s: float = 10.0
    whole_s: float = 120.0


@dataclass
class Completion:
    """All that came beside the words, complete at the end."""

    calls: dict[int, dict[str, str]] = field(default_factory=dict[int, dict[str, str]])
    usage: Usage | None = None
    finish: str = ""
    characters: int = 0

    def function_calls(self) -> list[FunctionCall]:
        """Raises Problem for one whose name or arguments cannot be."""
        return [_function_call(self.calls[index]) for index in sorted(self.calls)]

    def add(self, chunk: dict[str, Any]) -> str:
        """Takes one chunk; returns the words in it. Raises Problem for one that cannot be."""
        if error := chunk.get("error"):
            raise failed("the endpoint ended with an error", error)
        if isinstance(usage := chunk.get("usage"), dict):
            self.usage = _usage(cast("dict[str, Any]", usage))
        choices: Any = chunk.get("choices") or []
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        choice = cast("dict[str, Any]", choices[0])
        self.finish = str(choice.get("finish_reason") or self.finish)
        delta: Any = choice.get("delta") or {}
        if not isinstance(delta, dict):
            raise failed("the endpoint sent what is no chunk of a chat completion")
        self._add_calls(cast("dict[str, Any]", delta).get("tool_calls") or [])
        words: Any = cast("dict[str, Any]", delta).get("content")
        return self._bounded(words) if isinstance(words, str) else ""

    def _bounded(self, words: str) -> str:
        words = words[: MOST_CHARACTERS - self.characters]
        self.characters += len(words)
        return words.encode("utf-8", "ignore").decode()  # half of a surrogate pair is no character

    def _add_calls(self, parts: Any) -> None:
        for part in cast("list[Any]", parts) if isinstance(parts, list) else []:
            if not isinstance(part, dict):
                raise failed("the endpoint sent a call that is none")
            given = cast("dict[str, Any]", part)
            function: Any = given.get("function") or {}
            index = given.get("index")
            call = self.calls.setdefault(index if isinstance(index, int) else len(self.calls), {"id": "", "name": "", "arguments": ""})
            if isinstance(function, dict):
                own = cast("dict[str, Any]", function)
                call["name"] = call["name"] or str(own.get("name") or "")
                call["arguments"] += str(own.get("arguments") or "")
            call["id"] = call["id"] or str(given.get("id") or "")
            if len(self.calls) > MOST_CALLS or len(call["arguments"]) > MOST_ARGUMENTS:
                raise failed("the endpoint's calls are too many or too long")


def failed(detail: str, reported: object = None, *, retry_after_ms: int | None = None) -> Problem:
    """`reported`: by the endpoint, of which only that it is there is told: its words may repeat a key."""
    return Problem(Code.LANGUAGE_MODEL_FAILED, detail + (" of its own" if reported else ""), retry_after_ms=retry_after_ms)


async def complete(
    http: httpx.AsyncClient, url: str, key: str, body: dict[str, Any], into: Completion, waits: Waits
) -> AsyncGenerator[str, None]:
    """Yields words as they come and fills `into`; closing it ends the request. Raises Problem."""
    headers = {"accept": "text/event-stream", "accept-encoding": "identity"} | ({"authorization": f"Bearer {key}"} if key else {})
    timeout = httpx.Timeout(waits.pause_s, connect=waits.connect_s, read=waits.first_s)
    try:
        asked = http.stream("POST", f"{url.rstrip('/')}/chat/completions", json=body, headers=headers, timeout=timeout)
        async with asyncio.timeout(waits.whole_s), asyncio.timeout(waits.first_s) as next_one, asked as response:
            _check(response)
            async for chunk in _chunks(response):
                words = into.add(chunk)
                if words or into.calls:
                    next_one.reschedule(asyncio.get_running_loop().time() + waits.pause_s)
                if words:
                    yield words
                if into.characters >= MOST_CHARACTERS:
                    into.finish = "length"
                    return
    except (TimeoutError, httpx.TimeoutException):
        raise failed("the endpoint did not answer in time") from None
    except httpx.HTTPError as error:
        raise failed(f"the endpoint cannot be reached or broke off ({type(error).__name__})") from None
    if not into.finish:
        raise failed("the endpoint broke off in the middle of its answer")


def _check(response: httpx.Response) -> None:
    if response.status_code == 429:
        wait = response.headers.get("retry-after", "")
        raise failed("the endpoint has too many requests (429)", retry_after_ms=min(int(wait), 3600) * 1000 if wait.isdecimal() else 2000)
    if response.status_code in (401, 403):
        raise failed(f"the endpoint refuses the key ({response.status_code})")
    if response.status_code != 200:
        raise failed(
            f"the endpoint answered {response.status_code}" + (", a redirect, which is not followed" if response.is_redirect else "")
        )
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream" or response.headers.get("content-encoding", "identity") != "identity":
        raise failed("the endpoint answered with something else than a stream of events")


async def _chunks(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The `data:` of server-sent events, up to [DONE]."""
    async for line in _lines(response):
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            return
        try:
            chunk: Any = json.loads(data)
        except (ValueError, RecursionError):
            raise failed("the endpoint sent what is not JSON") from None
        if not isinstance(chunk, dict):
            raise failed("the endpoint sent what is no chunk of a chat completion")
        yield cast("dict[str, Any]", chunk)


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    total, held = 0, b""
    async for piece in response.aiter_bytes():
        total += len(piece)
        *lines, held = (held + piece).split(b"\n")
        if total > MOST_BYTES or len(held) > MOST_LINE_BYTES:
            raise failed("the endpoint sends too much")
        for line in lines:
            yield line.rstrip(b"\r")
    yield held


def _usage(usage: dict[str, Any]) -> Usage:
    details: Any = usage.get("prompt_tokens_details") or {}
    cached = cast("dict[str, Any]", details).get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(_count(usage.get("prompt_tokens")), _count(cached), _count(usage.get("completion_tokens")))


def _count(value: object) -> int:
    return min(max(value, 0), 2**31) if isinstance(value, int) else 0


def _function_call(call: dict[str, str]) -> FunctionCall:
    arguments = call["arguments"] or "{}"
    try:
        fine = isinstance(json.loads(arguments), dict) and _NAME.fullmatch(call["name"])
    except (ValueError, RecursionError):
        fine = None
    if not fine:
        raise failed("the endpoint called a function with arguments that are not JSON, or without a name")
    return FunctionCall(call["name"], arguments, call["id"][:64])
