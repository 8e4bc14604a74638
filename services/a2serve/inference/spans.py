"""Spans of the inference service: they continue the caller's trace, and show where a response's time went."""

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, Tracer

from a2llm.messages import Done
from a2serve.telemetry import names

Metadata = Iterable[tuple[str, str | bytes]] | None


@contextmanager
def span(tracer: Tracer, name: str, metadata: Metadata, attributes: dict[str, str | bool]) -> Generator[Span]:
    """A span below the caller's, as its `traceparent` in the metadata says."""
    carrier = {key: value for key, value in metadata or () if isinstance(value, str)}
    with tracer.start_as_current_span(name, extract(carrier), trace.SpanKind.SERVER, attributes) as made:
        yield made


class ResponsePhases:
    """Adds the phases of a finished response to its span. Made when the request arrives."""

    def __init__(self, tracer: Tracer, parent: Span) -> None:
        self._tracer, self._parent, self._arrived_ns = tracer, parent, time.time_ns()

    def finished(self, done: Done) -> None:
        usage, timings = done.usage, done.timings
        self._parent.set_attributes(
            {
                names.ATTR_FINISH_REASON: done.reason,
                names.ATTR_COMPUTE_MS: timings.compute_ms,
                names.ATTR_INPUT_TOKENS: usage.input_tokens,
                names.ATTR_CACHED_TOKENS: usage.cached_tokens,
                names.ATTR_OUTPUT_TEXT_TOKENS: usage.output_text_tokens,
                names.ATTR_OUTPUT_AUDIO_MS: usage.output_audio_ms,
            }
        )
        now_ms = (time.time_ns() - self._arrived_ns) / 1e6
        ends_ms = [timings.queue_ms, timings.prefill_ms, timings.first_token_ms, timings.first_audio_ms, now_ms]
        phases = (
            names.SPAN_INFERENCE_ADMISSION,
            names.SPAN_INFERENCE_PREFILL,
            names.SPAN_INFERENCE_FIRST_TOKEN,
            names.SPAN_INFERENCE_FIRST_AUDIO,
            names.SPAN_INFERENCE_SPEAKING,
        )
        self._write(phases, ends_ms)

    def _write(self, phases: Sequence[str], ends_ms: Sequence[float]) -> None:
        """Writes one phase after the other; one that never came (0) is left out."""
        context, start_ms = trace.set_span_in_context(self._parent), 0.0
        for name, end_ms in zip(phases, ends_ms, strict=True):
            if end_ms > start_ms:
                made = self._tracer.start_span(name, context, start_time=self._ns(start_ms))
                made.end(self._ns(end_ms))
                start_ms = end_ms

    def _ns(self, ms: float) -> int:
        return self._arrived_ns + round(ms * 1e6)
