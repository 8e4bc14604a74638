"""One JSON line per log record, with the request, tenant and session it belongs to. Says nothing about what is worth a line."""

import json
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from opentelemetry import trace

OURS = ("a2serve", "a2llm")
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_bound: ContextVar[dict[str, object]] = ContextVar("a2_log_fields", default={})  # noqa: B039 (never changed in place)


def start_logging(service: str, level: str = "INFO") -> None:
    """JSON lines on stderr. Fields given as `extra=`, or bound by `log_fields`, stand beside the message.

    DEBUG is for our own lines: libraries write there what they carry, which is keys and what people say.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    handler.addFilter(_without_kafkas_tracebacks)
    handler.addFilter(_without_addresses_of_sockets)
    wanted = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(wanted, logging.INFO), handlers=[handler], force=True)
    for ours in OURS:
        logging.getLogger(ours).setLevel(wanted)
    logging.getLogger("kafka").setLevel(logging.ERROR)  # it warns of every attempt to reconnect


def _without_kafkas_tracebacks(record: logging.LogRecord) -> bool:
    """A broker that went away is no defect of the library: its message says enough."""
    if record.name.startswith("kafka"):
        record.exc_info = None
    return True


def _without_addresses_of_sockets(record: logging.LogRecord) -> bool:
    """uvicorn writes a line for each socket, with its query string: the id of the session that is resumed."""
    return not (record.name == "uvicorn.error" and '"WebSocket %s"' in str(record.msg))


@contextmanager
def log_fields(**fields: object) -> Generator[None]:
    """Every line written inside, in this task and those it starts, carries these fields (tenant, session_id, request_id)."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonLines(logging.Formatter):
    """Formats a log record as one line of JSON."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "message": record.getMessage(),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = f"{context.trace_id:032x}"
        line.update(_bound.get())
        line.update({key: value for key, value in vars(record).items() if key not in _PLAIN})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
