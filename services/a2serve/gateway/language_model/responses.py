"""A response whose words an endpoint finds: its stream goes into the given words of our model, as it comes.

Our model reads the conversation meanwhile, so its first sound waits for the endpoint's first words alone. Who closes the response ends the
request to the endpoint. Every answer is at an end after `Waits.whole_s` of the endpoint, whatever that sends.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from time import perf_counter

import httpx
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry, Counter, Histogram

from a2llm.messages import Done, FinishReason, Packet, ResponseOptions, ResponseRequest, Usage
from a2serve.contracts.problems import Problem
from a2serve.gateway.language_model.body import LanguageModelBody
from a2serve.gateway.language_model.chat import chat_request
from a2serve.gateway.language_model.egress import CheckedTransport, Egress
from a2serve.gateway.language_model.stream import Completion, Waits, complete
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.model_client.interface import InferenceClient
from a2serve.telemetry import names

READ_CHARACTERS = 1000  # of the instructions that our model reads along; the endpoint gets all of them
READ_ITEMS = 60  # the last ones of the conversation that it reads along
_REASONS: dict[str, FinishReason] = {"length": "max_output_tokens", "content_filter": "content"}


class EndpointMetrics:
    """How endpoints do, without their names: those are tenants' business."""

    def __init__(self, registry: CollectorRegistry) -> None:
        outcome = (names.LABEL_REASON,)
        self.ended = Counter(names.METRIC_GATEWAY_LANGUAGE_MODEL, "answers of endpoints by outcome", outcome, registry=registry)
        self.fillers = Counter(names.METRIC_GATEWAY_LANGUAGE_MODEL_FILLERS, "fillers said while an endpoint was slow", registry=registry)
        self.first_words = Histogram(
            names.METRIC_GATEWAY_LANGUAGE_MODEL_FIRST_SECONDS,
            "endpoint was asked to its first words",
            buckets=names.BUCKETS_LATENCY_SECONDS,
            registry=registry,
        )


@dataclass
class _Response:
    """One answer on its way."""

    model: LanguageModelBody
    request: ResponseRequest
    inner: InferenceClient
    words: GivenStream = field(default_factory=GivenStream)
    completion: Completion = field(default_factory=Completion)
    own: Usage | None = None  # of our model, where it answered instead


class EndpointResponses:
    """Asks the endpoints of all personas of a gateway."""

    def __init__(self, egress: Egress, registry: CollectorRegistry, tracer: Tracer, waits: Waits | None = None) -> None:
        self.egress, self._tracer, self._waits = egress, tracer, waits or Waits()
        self._metrics = EndpointMetrics(registry)
        self._http = httpx.AsyncClient(transport=CheckedTransport(egress), follow_redirects=False)

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.aclose()

    async def respond(self, model: LanguageModelBody, request: ResponseRequest, inner: InferenceClient) -> AsyncGenerator[Packet, None]:
        """Packets of a response with the endpoint's words; its calls come before the end. Raises Problem behind what was said."""
        response = _Response(model, request, inner)
        writing = asyncio.create_task(self._write(response), name=f"endpoint {request.response_id}")
        try:
            async with aclosing(inner.respond(read_along(request), response.words)) as packets:
                async for packet in packets:
                    if packet.done is None:
                        yield packet
                        continue
                    await writing
                    for last in _ending(packet, packet.done, response):
                        yield last
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError, Problem):
                await writing

    async def _write(self, response: _Response) -> None:
        outcome = "cancelled"
        with self._tracer.start_as_current_span(names.SPAN_LANGUAGE_MODEL) as span:
            try:
                outcome = await self._find_words(response)
            except Problem:
                outcome = "failed"
                raise
            finally:
                response.words.end()
                span.set_attribute(names.ATTR_STATUS, outcome)
                self._metrics.ended.labels(outcome).inc()

    async def _find_words(self, response: _Response) -> str:
        """The endpoint's words, or our own model's; returns which."""
        try:
            await self._ask(response)
            response.completion.function_calls()  # raises for those that cannot be
        except Problem:
            if not response.model.fallback or response.completion.characters:
                raise
            response.completion = Completion(finish="stop")
            async with aclosing(_own_words(response)) as pieces:
                async for piece in pieces:
                    response.words.add(piece)
            return "fallback"
        return "completed"

    async def _ask(self, response: _Response) -> None:
        model, request = response.model, response.request
        key, asked_s = self.egress.key(request.tenant, model), perf_counter()
        late = asyncio.get_running_loop().call_later(model.filler_after_ms / 1000, self._fill, response) if model.filler else None
        began = False
        try:
            body = chat_request(model, request)
            async with aclosing(complete(self._http, model.url, key, body, response.completion, self._waits)) as pieces:
                async for piece in pieces:
                    if not began:
                        began = True
                        self._metrics.first_words.observe(perf_counter() - asked_s)
                        _cancel(late)
                    response.words.add(piece)
        finally:
            _cancel(late)

    def _fill(self, response: _Response) -> None:
        fillers = response.model.filler
        response.words.add(fillers[sum(response.request.response_id.encode()) % len(fillers)].strip() + "\n\n")
        self._metrics.fillers.inc()


def read_along(request: ResponseRequest) -> ResponseRequest:
    """The part of the conversation that our model reads: enough for how it is said. Tools are the endpoint's business."""
    asked = request.options
    options = ResponseOptions(asked.seed, audio=asked.audio, affect=asked.affect, expressiveness=asked.expressiveness, voice=asked.voice)
    instructions = request.instructions[:READ_CHARACTERS]
    return replace(request, instructions=instructions, items=request.items[-READ_ITEMS:], options=options)


async def _own_words(response: _Response) -> AsyncGenerator[str, None]:
    """Our model's answer as text, in a slot beside the session's."""
    request = read_along(response.request)
    request = replace(
        request, session_id=f"{request.session_id}.own", options=replace(request.options, audio=False), motion_hz=0, burst=True
    )
    try:
        async with aclosing(response.inner.respond(request)) as packets:
            async for packet in packets:
                response.own = packet.done.usage if packet.done else response.own
                if packet.text:
                    yield packet.text + " "
    finally:
        with suppress(Problem):
            await response.inner.release(request.session_id)


def _ending(packet: Packet, done: Done, response: _Response) -> list[Packet]:
    """The last packet of our model, the endpoint's calls, and the end with what both of them cost."""
    completion, calls = response.completion, response.completion.function_calls()
    found = response.own or completion.usage or done.usage
    usage = replace(found, output_audio_ms=done.usage.output_audio_ms)
    reason = done.reason if done.reason != "completed" else _REASONS.get(completion.finish, "completed")
    end = Packet(packet.response_id, packet.pts_samples + len(packet.pcm16) // 2, sample_rate_hz=packet.sample_rate_hz)
    silent = bool(calls) and not done.text  # a call without a word is no message
    said = [replace(packet, done=None)] if packet.pcm16 or packet.text or (packet.affect and not silent) else []
    return [*said, *(replace(end, function_call=call) for call in calls), replace(end, done=replace(done, usage=usage, reason=reason))]


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer:
        timer.cancel()
