"""OTLP export requests (protobuf or JSON) as spans. Decoding only: spans are kept in store.py."""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

BODY_LIMIT_BYTES = 8 << 20
Value: TypeAlias = str | bool | int | float
_ID_FIELDS = ("traceId", "spanId", "parentSpanId")
_ID_BYTES = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


class BadExport(ValueError):
    """Raised for a body that is not an OTLP trace export."""


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span. Ids are hex; `parent_id` is empty for a root; times are Unix nanoseconds."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Value]
    error: str = ""


def read_export(body: bytes, content_type: str, encoding: str = "") -> list[Span]:
    """The spans of one request body. Raises BadExport for anything that is not OTLP, unknown media types included."""
    plain = _unzip(body) if encoding == "gzip" else body
    if content_type == "application/x-protobuf":
        return list(_spans(_from_protobuf(plain)))
    if content_type == "application/json":
        return list(_spans(_from_json(plain)))
    raise BadExport(f"{content_type or 'no content type'}: send application/x-protobuf or application/json")


def _unzip(body: bytes) -> bytes:
    """At most the limit: a small body can unfold to gigabytes."""
    unzipper = zlib.decompressobj(wbits=31)
    try:
        plain = unzipper.decompress(body, BODY_LIMIT_BYTES)
    except zlib.error as error:
        raise BadExport(f"not gzip: {error}") from None
    if not unzipper.eof:
        raise BadExport("the gzip stream is cut off or unfolds to more than 8 MiB")
    return plain


def _from_protobuf(body: bytes) -> ExportTraceServiceRequest:
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise BadExport(f"not an export request: {error}") from None


def _from_json(body: bytes) -> ExportTraceServiceRequest:
    """OTLP/JSON is protobuf's JSON, except that ids are hex."""
    try:
        message = json.loads(body)
        for span in _json_spans(message):
            _ids_to_base64(span)
        return json_format.ParseDict(message, ExportTraceServiceRequest(), ignore_unknown_fields=True)
    except (ValueError, AttributeError, TypeError, RecursionError, json_format.ParseError) as error:
        raise BadExport(f"not an export request: {error}") from None


def _json_spans(message: Any) -> Iterator[dict[str, Any]]:
    for resource in message.get("resourceSpans") or ():
        for scope in resource.get("scopeSpans") or ():
            for span in scope.get("spans") or ():
                yield span
                yield from span.get("links") or ()


def _ids_to_base64(holder: dict[str, Any]) -> None:
    for field in _ID_FIELDS:
        if holder.get(field):
            raw = bytes.fromhex(holder[field])
            if len(raw) != _ID_BYTES[field]:
                raise ValueError(f"{field} is not {_ID_BYTES[field]} bytes in hex")
            holder[field] = base64.b64encode(raw).decode()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        service = str(_attributes(resource.resource.attributes).get("service.name", "unknown"))
        for scope in resource.scope_spans:
            yield from (_span(message, service) for message in scope.spans)


def _span(message: trace_pb2.Span, service: str) -> Span:
    failed = message.status.code == trace_pb2.Status.STATUS_CODE_ERROR
    return Span(
        message.trace_id.hex(),
        message.span_id.hex(),
        message.parent_span_id.hex(),
        message.name,
        service,
        message.start_time_unix_nano,
        max(message.end_time_unix_nano, message.start_time_unix_nano),
        _attributes(message.attributes),
        (message.status.message or "failed") if failed else "",
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Value:
    """Scalars as they are; the rest as text, which is all the page shows."""
    if value.HasField("bool_value"):
        return value.bool_value
    if value.HasField("int_value"):
        return value.int_value
    if value.HasField("double_value"):
        return value.double_value
    return value.string_value if value.HasField("string_value") else json_format.MessageToJson(value, indent=None)
