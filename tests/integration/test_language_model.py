"""A persona's own language model: its words are said, its calls come back, and whatever it does, the response ends well."""

import asyncio
import base64
import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from prometheus_client import CollectorRegistry
from support.rest import check_problem, new_session
from support.servers.endpoint import KEY, Endpoint, endpoint_serving
from support.servers.gateway import GatewayStand

from a2llm.messages import (
    AssistantTurn,
    Done,
    FunctionCall,
    Packet,
    ResponseOptions,
    ResponseRequest,
    Tool,
    ToolResult,
    Usage,
    UserTurn,
)
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.language_model.body import LanguageModelBody
from a2serve.gateway.language_model.egress import Egress
from a2serve.gateway.language_model.responses import EndpointResponses
from a2serve.gateway.language_model.stream import MOST_CHARACTERS, Waits
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.telemetry import names

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
REQUEST = ResponseRequest("s", "r", (UserTurn("What time is it?"),), ResponseOptions(7), instructions="Be kind.", tenant="acme")
QUICK = Waits(connect_s=1.0, first_s=0.5, pause_s=0.5, whole_s=1.0)


@dataclass
class Speaker:
    """Inference that says what it is given, or two words of its own."""

    asked: list[ResponseRequest] = field(default_factory=list[ResponseRequest])
    released: list[str] = field(default_factory=list[str])
    closed: bool = False

    async def respond(self, request: ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[Packet, None]:
        self.asked.append(request)
        if words is None:
            yield Packet(request.response_id, text="Our own.")
            yield Packet(request.response_id, done=Done(text="Our own.", usage=Usage(11, 0, 3)))
            return
        text, over = "", False
        try:
            yield Packet(request.response_id)
            while not over:
                fresh = await words.after(len(text))
                text, over = text + fresh.text, fresh.over
                if fresh.text.strip():
                    yield Packet(request.response_id, text=fresh.text, pcm16=bytes(4))
            yield Packet(
                request.response_id, pts_samples=2, pcm16=bytes(4) if text else b"", done=Done(text=text, usage=Usage(50, 0, 9, 40))
            )
        finally:
            self.closed = True

    async def release(self, session_id: str) -> None:
        self.released.append(session_id)


@dataclass
class Stage:
    """An endpoint, and a gateway's part that asks it."""

    endpoint: Endpoint
    endpoints: EndpointResponses
    registry: CollectorRegistry
    speaker: Speaker = field(default_factory=Speaker)

    def respond(self, request: ResponseRequest = REQUEST, **model: Any) -> AsyncGenerator[Packet, None]:
        body = LanguageModelBody(url=self.endpoint.url, model="m", key_secret="chat", **model)
        return self.endpoints.respond(body, request, self.speaker)  # pyright: ignore[reportArgumentType]

    async def said(self, request: ResponseRequest = REQUEST, **model: Any) -> list[Packet]:
        return [packet async for packet in self.respond(request, **model)]

    def outcomes(self, reason: str) -> float:
        return self.registry.get_sample_value(f"{names.METRIC_GATEWAY_LANGUAGE_MODEL}_total", {"reason": reason}) or 0.0


@asynccontextmanager
async def stage(folder: Path, waits: Waits | None = None, **options: Any) -> AsyncIterator[Stage]:
    (folder / "acme.chat").write_text(f"{KEY}\n")
    registry = CollectorRegistry()
    async with endpoint_serving(Endpoint(**options)) as endpoint:
        endpoints = EndpointResponses(Egress(["127.0.0.1"], LOOPBACK, folder), registry, trace.NoOpTracer(), waits)
        yield Stage(endpoint, endpoints, registry)
        await endpoints.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def test_its_words_are_said_as_they_come_and_its_usage_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as at:
            packets = await at.said(parameters={"temperature": 0.2, "reasoning_effort": "low"})
            assert "".join(packet.text for packet in packets) == "".join(at.endpoint.words)
            assert packets[-1].done == Done(text="".join(at.endpoint.words), usage=Usage(31, 5, 7, 40))
            assert at.endpoint.keys == [f"Bearer {KEY}"]
            asked = at.endpoint.asked[0]
            assert (asked["model"], asked["stream"], asked["temperature"], asked["reasoning_effort"]) == ("m", True, 0.2, "low")
            assert [message["role"] for message in asked["messages"]] == ["system", "user"]
            assert asked["messages"][0]["content"].startswith("Be kind.")
            assert at.outcomes("completed") == 1

    run(scenario)


def test_what_was_said_before_goes_along_with_calls_and_results(tmp_path: Path) -> None:
    items = (
        UserTurn("Dim the light and close the door"),
        FunctionCall("dim", '{"to": 3}', "c1"),
        FunctionCall("close", "{}", "c2"),
        ToolResult("done", "c1"),
        ToolResult("closed", "c2"),
        AssistantTurn("I have"),  # as far as it was heard
        UserTurn("Stop."),
        FunctionCall("wait", "{}", "c3"),  # without a result
    )

    async def scenario() -> None:
        async with stage(tmp_path) as at:
            await at.said(replace(REQUEST, items=items))
            said = at.endpoint.asked[0]["messages"][1:]
            assert [message["role"] for message in said] == ["user", "assistant", "tool", "tool", "assistant", "user"]
            assert [call["id"] for call in said[1]["tool_calls"]] == ["c1", "c2"]
            assert said[2] == {"role": "tool", "tool_call_id": "c1", "content": "done"}
            assert said[4] == {"role": "assistant", "content": "I have"}

    run(scenario)


def test_tools_go_through_and_calls_come_back(tmp_path: Path) -> None:
    deltas = [
        {"index": 0, "id": "call_1", "function": {"name": "dim", "arguments": '{"to'}},
        {"index": 0, "function": {"arguments": '": 3}'}},
        {"index": 1, "id": "call_2", "function": {"name": "close", "arguments": ""}},
    ]
    options = ResponseOptions(1, tools=(Tool("dim", "the light", {"type": "object"}), Tool("close")), tool_choice="required")

    async def scenario() -> None:
        async with stage(tmp_path, words=[], calls=deltas) as at:
            packets = await at.said(replace(REQUEST, options=options))
            calls = [packet.function_call for packet in packets if packet.function_call]
            assert calls == [FunctionCall("dim", '{"to": 3}', "call_1"), FunctionCall("close", "{}", "call_2")]
            assert packets[-1].done is not None
            assert not any(packet.pcm16 for packet in packets)
            assert at.endpoint.asked[0]["tool_choice"] == "required"
            assert at.endpoint.asked[0]["tools"][0]["function"] == {
                "name": "dim",
                "description": "the light",
                "parameters": {"type": "object"},
            }
            assert at.speaker.asked[0].options.tools == ()

    run(scenario)


def test_who_leaves_ends_the_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, behaviour="endless", pace_s=0.01) as at:
            packets = at.respond()
            for _ in range(3):
                await anext(packets)
            await packets.aclose()
            await at.endpoint.gone.wait()
            assert at.endpoint.left == 1
            assert at.speaker.closed
            assert at.outcomes("cancelled") == 1

    run(scenario)


def test_a_slow_endpoint_gets_a_filler_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, first_s=0.3) as at:
            packets = await at.said(filler=["Let me see."], filler_after_ms=100)
            assert "".join(packet.text for packet in packets) == "Let me see.\n\n" + "".join(at.endpoint.words)
            at.endpoint.first_s = 0.0
            packets = await at.said(filler=["Let me see."], filler_after_ms=5000)
            assert "".join(packet.text for packet in packets) == "".join(at.endpoint.words)

    run(scenario)


FAILURES = {
    "key": "refuses the key (401)",
    "busy": "too many requests",
    "broken": "answered 500",
    "redirect": "a redirect, which is not followed",
    "page": "something else than a stream",
    "zipped": "something else than a stream",
    "garbage": "not JSON",
    "binary": "not JSON",
    "deep": "not JSON",
    "list": "no chunk",
    "line": "too much",
    "error": "an error of its own",
    "comments": "in time",
    "silent": "in time",
    "cut": "in the middle",
}


@pytest.mark.parametrize("behaviour", FAILURES)
def test_a_bad_endpoint_is_a_clear_problem_without_its_words(tmp_path: Path, behaviour: str) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, QUICK, behaviour=behaviour) as at:
            with pytest.raises(Problem, match=FAILURES[behaviour].replace("(", r"\(").replace(")", r"\)")) as error:
                await at.said()
            assert error.value.code is Code.LANGUAGE_MODEL_FAILED
            assert KEY not in error.value.detail
            assert error.value.retry_after_ms == (7000 if behaviour == "busy" else None)
            assert len(at.endpoint.asked) == 1
            assert at.outcomes("failed") == 1

    run(scenario)


def test_an_endless_stream_is_cut_at_the_bound(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, behaviour="endless") as at:
            packets = await at.said()
            assert sum(len(packet.text) for packet in packets) <= MOST_CHARACTERS
            assert packets[-1].done is not None
            assert packets[-1].done.reason == "max_output_tokens"

    run(scenario)


@pytest.mark.parametrize("behaviour", ["key", "silent", "page"])
def test_where_it_is_allowed_our_own_model_answers(tmp_path: Path, behaviour: str) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, QUICK, behaviour=behaviour) as at:
            packets = await at.said(fallback=True, filler=["Well."], filler_after_ms=100)
            assert "".join(packet.text for packet in packets).split() == (["Well."] if behaviour == "silent" else []) + ["Our", "own."]
            assert packets[-1].done is not None
            assert packets[-1].done.usage == Usage(11, 0, 3, 40)
            assert at.speaker.released == ["s.own"]
            assert at.outcomes("fallback") == 1

    run(scenario)


def test_behind_its_first_words_our_own_model_does_not_begin_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path, behaviour="cut") as at:
            packets = at.respond(fallback=True)
            said = ""
            with pytest.raises(Problem):
                async for packet in packets:
                    said += packet.text
            assert said == "".join(at.endpoint.words)  # what came is said before the problem

    run(scenario)


def test_an_address_that_is_not_allowed_is_not_connected_to(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with stage(tmp_path) as at:
            egress = Egress(["127.0.0.1"], [ipaddress.ip_network("10.0.0.0/8")], tmp_path)
            at.endpoints = EndpointResponses(egress, CollectorRegistry(), trace.NoOpTracer())
            with pytest.raises(Problem, match="cannot be reached"):
                await at.said()
            assert at.endpoint.asked == []
            await at.endpoints.close()

    run(scenario)


def test_a_tenants_persona_brings_its_language_model(stand: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "acme.chat").write_text(KEY)

    async def test(made: GatewayStand) -> None:
        async with endpoint_serving() as endpoint, made.client() as client, made.client("globex") as other:
            body = {"url": endpoint.url, "model": "m", "key_secret": "chat", "parameters": {"seed": 3}}
            mine = {"name": "concierge", "instructions": "You are a concierge.", "language_model": body}
            created = await client.post("/v1/personas", json=mine)
            assert created.status_code == 201, created.text
            assert created.json()["language_model"]["key_secret"] == "chat"
            rows = {row["name"]: row["language_model"] for row in (await client.get("/v1/personas")).json()["data"]}
            assert rows["concierge"]["url"] == endpoint.url
            assert rows["ada"] is None
            check_problem(await other.post("/v1/personas", json=mine), 422, "unsupported")  # the key is another tenant's
            elsewhere = mine | {"name": "x", "language_model": body | {"url": "https://169.254.169.254/v1"}}
            check_problem(await client.post("/v1/personas", json=elsewhere), 422, "unsupported")
            check_problem(await client.post("/v1/personas", json=mine | {"language_model": body | {"url": "x"}}), 422, "invalid_value")

            session_id = await new_session(client, session={"a2": {"persona": "concierge"}})
            turn = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi", "stream": False})
            assert turn.status_code == 200, turn.text
            assert turn.json()["usage"]["input_tokens"] == 31
            assert endpoint.asked[0]["messages"][0]["content"].startswith("You are a concierge.")
            assert endpoint.asked[0]["seed"] == 3
            assert made.script.requests[0].HasField("given")
            assert made.script.given == "".join(endpoint.words)

            silence = {"audio": {"data": base64.b64encode(bytes(48_000)).decode(), "format": "pcm16"}, "stream": False}
            assert (await client.post(f"/v1/sessions/{session_id}/turns", json=silence)).status_code == 200
            assert len(endpoint.asked) == 1 and made.script.requests[-1].given.over, "nothing was heard: the endpoint is not asked"

            endpoint.behaviour = "key"
            turn = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi", "stream": False})
            check_problem(turn, 502, "language_model_failed")
            assert KEY not in turn.text

    chosen = {"language_model_hosts": ["127.0.0.1"], "language_model_networks": ["127.0.0.0/8"], "language_model_secrets": tmp_path}
    stand(test, **chosen)
