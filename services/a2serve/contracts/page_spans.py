"""Spans that a page may send: the four that the library makes, as OTLP/JSON. What else stands in an export is not read.

They are written anew from what was checked; we name their sender, not the page.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from a2serve.telemetry import names

SPANS = (names.SPAN_WEB_TURN, names.SPAN_WEB_FIRST_AUDIO, names.SPAN_WEB_FIRST_MOTION, names.SPAN_WEB_PLAYBACK)
ATTRIBUTES = (names.ATTR_RESPONSE_ID, names.ATTR_UNDERRUNS, names.ATTR_CUT_MS)
LONGEST_NS = 3600 * 10**9
KIND_CLIENT = 3
Nanoseconds = Annotated[int, Field(ge=0, lt=1 << 63)]


class Value(BaseModel):
    """A scalar of OTLP/JSON; whole numbers are strings there."""

    model_config = ConfigDict(extra="forbid")

    stringValue: Annotated[str, Field(max_length=64)] | None = None
    intValue: Annotated[int, Field(ge=0, lt=1 << 53)] | None = None
    doubleValue: Annotated[float, Field(ge=0, lt=1 << 53)] | None = None


class Attribute(BaseModel):
    key: Annotated[str, Field(max_length=64)]
    value: Value


class PageSpan(BaseModel):
    """One span that the page measured."""

    name: Literal[SPANS]  # pyright: ignore[reportInvalidTypeForm]
    traceId: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    spanId: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    parentSpanId: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    startTimeUnixNano: Nanoseconds
    endTimeUnixNano: Nanoseconds
    attributes: Annotated[list[Attribute], Field(max_length=8)] = []

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> "PageSpan":
        if not 0 <= self.endTimeUnixNano - self.startTimeUnixNano <= LONGEST_NS:
            raise ValueError("a span ends after it began, within an hour")
        return self

    def wire(self) -> dict[str, Any]:
        """With the attributes we know."""
        kept = [{"key": each.key, "value": each.value.model_dump(exclude_none=True)} for each in self.attributes if each.key in ATTRIBUTES]
        body = self.model_dump(exclude={"attributes", "startTimeUnixNano", "endTimeUnixNano"})
        times = {name: str(getattr(self, name)) for name in ("startTimeUnixNano", "endTimeUnixNano")}  # uint64 are strings in OTLP/JSON
        return body | times | {"kind": KIND_CLIENT, "attributes": kept}


class _Scope(BaseModel):
    spans: Annotated[list[PageSpan], Field(max_length=64)]


class _Resource(BaseModel):
    scopeSpans: Annotated[list[_Scope], Field(max_length=4)]


class PageExport(BaseModel):
    """The body of POST /v1/traces."""

    resourceSpans: Annotated[list[_Resource], Field(max_length=4)]

    def stamped(self, facts: Mapping[str, str]) -> dict[str, Any]:
        """Returns the same spans, with `facts` as their page."""
        said = {"service.name": names.SERVICE_WEB, **facts}
        resource = {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]}
        return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "a2llm.web"}, "spans": list(self._spans())}]}]}

    def _spans(self) -> Iterator[dict[str, Any]]:
        for resource in self.resourceSpans:
            for scope in resource.scopeSpans:
                yield from (span.wire() for span in scope.spans)
