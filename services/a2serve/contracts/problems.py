"""Every error code once: its HTTP status, its Realtime type, its title. REST writes RFC 9457, the socket an `error` event.

Not here: gRPC status codes; the gateway translates them where it calls.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from a2serve.contracts.server_events import ErrorBody, ErrorEvent

ErrorType: TypeAlias = Literal["invalid_request_error", "server_error", "rate_limit_error"]
TYPE_BASE = "https://a2llm.dev/problems/"
RETRY_AFTER_MS = 2000  # of a problem that passes by itself, at an unknown time
LONGEST_DETAIL, LONGEST_PARAM = 1000, 256  # characters: the name of a field that a client made up may be megabytes long


class Code(StrEnum):
    """Stable names; clients may compare them."""

    INVALID_JSON = "invalid_json"
    INVALID_EVENT = "invalid_event"
    INVALID_VALUE = "invalid_value"
    NOT_STORABLE = "not_storable"
    CONFLICTING = "conflicting_values"
    UNKNOWN_PARAMETER = "unknown_parameter"
    MISSING_PARAMETER = "missing_required_parameter"
    UNSUPPORTED = "unsupported"
    EVENT_TOO_LARGE = "event_too_large"
    INVALID_AUDIO = "invalid_audio"
    INVALID_PACKET = "invalid_packet"
    INPUT_BUFFER_FULL = "input_audio_buffer_full"
    COMMIT_EMPTY = "input_audio_buffer_commit_empty"
    ITEM_NOT_FOUND = "item_not_found"
    ITEM_EXISTS = "item_already_exists"
    INVALID_CALL_ID = "invalid_tool_call_id"
    CONVERSATION_FULL = "conversation_full"
    STORAGE_FULL = "storage_full"
    RESPONSE_ACTIVE = "conversation_already_has_active_response"
    CANCEL_NOT_ACTIVE = "response_cancel_not_active"
    RIG_UNAVAILABLE = "rig_unavailable"
    PERSONA_UNKNOWN = "persona_unknown"
    UNAUTHORIZED = "unauthorized"
    QUOTA_SPENT = "quota_spent"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    BODY_TOO_LARGE = "body_too_large"
    INVALID_HTTP = "invalid_request"
    REQUEST_TIMEOUT = "request_timeout"
    URL_TOO_LONG = "url_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    UNSUPPORTED_MEDIA = "unsupported_media_type"
    RATE_LIMITED = "rate_limited"
    CONCURRENCY = "too_many_sessions"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    NO_CAPACITY = "no_capacity"
    UNAVAILABLE = "inference_unavailable"
    LANGUAGE_MODEL_FAILED = "language_model_failed"
    STATE_UNAVAILABLE = "state_unavailable"
    USAGE_UNAVAILABLE = "usage_unavailable"
    DRAINING = "draining"
    TIMEOUT = "timeout"
    SESSION_EXPIRED = "session_expired"
    INTERNAL = "internal_error"


@dataclass(frozen=True, slots=True)
class Meaning:
    """HTTP status, type and words of an error code."""

    status: int
    title: str
    kind: ErrorType = "invalid_request_error"


MEANINGS: dict[Code, Meaning] = {
    Code.INVALID_JSON: Meaning(400, "Not JSON"),
    Code.INVALID_EVENT: Meaning(400, "Not an event we know"),
    Code.INVALID_VALUE: Meaning(422, "A value that cannot be right"),
    Code.NOT_STORABLE: Meaning(422, "A value that cannot be kept"),
    Code.CONFLICTING: Meaning(422, "Values that do not go together"),
    Code.UNKNOWN_PARAMETER: Meaning(422, "A parameter we do not know"),
    Code.MISSING_PARAMETER: Meaning(422, "A parameter is missing"),
    Code.UNSUPPORTED: Meaning(422, "Known, but not supported here"),
    Code.EVENT_TOO_LARGE: Meaning(413, "Too large"),
    Code.INVALID_AUDIO: Meaning(422, "Audio that cannot be read"),
    Code.INVALID_PACKET: Meaning(422, "A binary frame that cannot be read"),
    Code.INPUT_BUFFER_FULL: Meaning(413, "The input audio buffer is full"),
    Code.COMMIT_EMPTY: Meaning(422, "Nothing to commit"),
    Code.ITEM_NOT_FOUND: Meaning(404, "No such item"),
    Code.ITEM_EXISTS: Meaning(409, "The item exists already"),
    Code.INVALID_CALL_ID: Meaning(422, "No function call has this call_id"),
    Code.CONVERSATION_FULL: Meaning(422, "The conversation holds as many items or bytes as it may"),
    Code.STORAGE_FULL: Meaning(507, "The tenant stores as much as it may"),
    Code.RESPONSE_ACTIVE: Meaning(409, "A response is in progress"),
    Code.CANCEL_NOT_ACTIVE: Meaning(409, "No response is in progress"),
    Code.RIG_UNAVAILABLE: Meaning(422, "This rig is not loaded here"),
    Code.PERSONA_UNKNOWN: Meaning(422, "No such persona"),
    Code.UNAUTHORIZED: Meaning(401, "Who are you?"),
    Code.QUOTA_SPENT: Meaning(402, "The quota is spent"),
    Code.FORBIDDEN: Meaning(403, "Not allowed"),
    Code.NOT_FOUND: Meaning(404, "Not found"),
    Code.METHOD_NOT_ALLOWED: Meaning(405, "Not with this method"),
    Code.CONFLICT: Meaning(409, "Conflict"),
    Code.BODY_TOO_LARGE: Meaning(413, "The body is too large"),
    Code.INVALID_HTTP: Meaning(400, "Not an HTTP request"),
    Code.REQUEST_TIMEOUT: Meaning(408, "The request took too long to come"),
    Code.URL_TOO_LONG: Meaning(414, "The URL is too long"),
    Code.HEADERS_TOO_LARGE: Meaning(431, "The headers are too large"),
    Code.UNSUPPORTED_MEDIA: Meaning(415, "Unsupported media type"),
    Code.RATE_LIMITED: Meaning(429, "Too many requests", "rate_limit_error"),
    Code.CONCURRENCY: Meaning(429, "Too many sessions at once", "rate_limit_error"),
    Code.TOO_MANY_CONNECTIONS: Meaning(503, "Too many connections", "server_error"),
    Code.NO_CAPACITY: Meaning(503, "Every place is taken", "server_error"),
    Code.UNAVAILABLE: Meaning(503, "The model cannot be reached", "server_error"),
    Code.LANGUAGE_MODEL_FAILED: Meaning(502, "The persona's language model did not answer", "server_error"),
    Code.STATE_UNAVAILABLE: Meaning(503, "Sessions cannot be reached", "server_error"),
    Code.USAGE_UNAVAILABLE: Meaning(503, "Usage cannot be read", "server_error"),
    Code.DRAINING: Meaning(503, "This replica is stopping", "server_error"),
    Code.TIMEOUT: Meaning(504, "It took too long", "server_error"),
    Code.SESSION_EXPIRED: Meaning(410, "The session is over"),
    Code.INTERNAL: Meaning(500, "A defect of ours", "server_error"),
}


def shortened(text: str, longest: int) -> str:
    """With an ellipsis where it is longer."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


class Problem(ValueError):
    """An error that the caller must learn. Raised anywhere, written once, at the edge."""

    def __init__(
        self, code: Code, detail: str, *, param: str | None = None, event_id: str | None = None, retry_after_ms: int | None = None
    ) -> None:
        detail, param = shortened(detail, LONGEST_DETAIL), shortened(param, LONGEST_PARAM) if param else param
        super().__init__(detail)
        self.code, self.detail, self.param, self.event_id, self.retry_after_ms = code, detail, param, event_id, retry_after_ms

    @property
    def meaning(self) -> Meaning:
        return MEANINGS[self.code]

    def as_event(self, event_id: str | None = None) -> ErrorEvent:
        """The Realtime `error` event; `event_id` is the client's own, of the event that caused it."""
        cause = self.event_id or event_id
        body = ErrorBody(type=self.meaning.kind, code=self.code, message=self.detail, param=self.param, event_id=cause)
        return ErrorEvent(error=body)

    def as_json(self, request_id: str) -> dict[str, Any]:
        """The RFC 9457 body (`application/problem+json`)."""
        body = {"type": TYPE_BASE + self.code, "title": self.meaning.title, "status": self.meaning.status, "code": str(self.code)}
        return body | {"detail": self.detail, "request_id": request_id} | ({"param": self.param} if self.param else {})
