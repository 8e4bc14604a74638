"""The gateway's spans of one turn, from the end of the user's speech to the answer played: a trace of its own.

Made after the fact where the beginning is only known at the end; times come as durations of the session's clock.
"""

import time
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context

from a2serve.telemetry import names

TRACEPARENT_KEY = "a2.traceparent"  # in the response's metadata, for clients that opted in: their playback joins the trace


class TurnTrace:
    """`span` is the turn; its parts hang below. `open` until it was ended."""

    def __init__(self, tracer: trace.Tracer, attributes: dict[str, str], endpointing_ms: float, links: Sequence[trace.Link] = ()) -> None:
        self._tracer, self.open = tracer, True
        begun_ns = time.time_ns() - int(endpointing_ms * 1e6)
        self.span = tracer.start_span(names.SPAN_TURN, Context(), start_time=begun_ns, attributes=attributes, links=links)
        if endpointing_ms:
            self.part(names.SPAN_ENDPOINTING, endpointing_ms)

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; zeros where nothing is traced."""
        return format(self.span.get_span_context().trace_id, "032x")

    @property
    def traceparent(self) -> str | None:
        """W3C Trace Context of the turn; None where nothing is traced."""
        context = self.span.get_span_context()
        if not context.is_valid:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def part(self, name: str, lasted_ms: float) -> None:
        """A span that ends now."""
        now_ns = time.time_ns()
        parent = trace.set_span_in_context(self.span)
        self._tracer.start_span(name, context=parent, start_time=now_ns - int(lasted_ms * 1e6)).end(now_ns)

    def end(self, status: str, cut_ms: int | None) -> None:
        """Ends the turn's span with its status."""
        self.open = False
        self.span.set_attribute(names.ATTR_STATUS, status)
        if cut_ms is not None:
            self.span.set_attribute(names.ATTR_CUT_MS, cut_ms)
        self.span.end()
