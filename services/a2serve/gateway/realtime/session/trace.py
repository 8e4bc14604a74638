"""The gateway's span of one session, from the open socket to the closed one. Turns are traces of their own that link to it.

One trace for a whole session would grow for an hour, and could be sampled, stored and read only as a whole.
"""

from opentelemetry import trace
from opentelemetry.context import Context

from a2serve.gateway import request_context
from a2serve.telemetry import names


class SessionTrace:
    """`attributes` are those that every turn of the session carries too."""

    def __init__(self, tracer: trace.Tracer, tenant: str, session_id: str) -> None:
        found = {
            names.ATTR_TENANT: tenant,
            names.ATTR_SESSION_ID: session_id,
            names.ATTR_REQUEST_ID: request_context.current().request_id,
        }
        self.attributes = {key: value for key, value in found.items() if value}
        self._span = tracer.start_span(names.SPAN_SESSION, Context(), attributes=self.attributes)

    @property
    def links(self) -> list[trace.Link]:
        """The links of the turns' traces; none where nothing is traced."""
        context = self._span.get_span_context()
        return [trace.Link(context)] if context.is_valid else []

    def end(self, cause: str, turns: int) -> None:
        """Ends the session's span."""
        self._span.set_attributes({names.ATTR_CLOSE_REASON: cause, names.ATTR_TURNS: turns})
        self._span.end()
