"""Context of a request, for log lines and answers: found from anywhere below it through `current`."""

import hashlib
import logging
import re
import secrets
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class RequestContext:
    """Filled in as it becomes known."""

    request_id: str
    tenant: str = ""
    session_id: str = ""
    key_id: str = ""
    end_user_id: str = ""
    at_end: AsyncExitStack = field(default_factory=AsyncExitStack)  # closed when the socket is, whatever happened


_context: ContextVar[RequestContext | None] = ContextVar("a2_request", default=None)


def new_id() -> str:
    """The id of a request, ours."""
    return f"req_{secrets.token_hex(12)}"


def begin(offered_id: str | None) -> RequestContext:
    """A new request; the caller's own `x-request-id` is kept where it is a plain one."""
    made = RequestContext(offered_id if offered_id and _ID.fullmatch(offered_id) else new_id())
    _context.set(made)
    return made


def current() -> RequestContext:
    """The request that is being served; outside of one, an empty one."""
    return _context.get() or RequestContext("")


class ContextFilter(logging.Filter):
    """Adds request, tenant and session to every log line. A session's id is a way to it, so lines hold its hash: `log_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        context = current()
        for name in ("request_id", "tenant", "session_id"):
            if value := getattr(context, name):
                record.__dict__.setdefault(name, value)
        if session_id := record.__dict__.pop("session_id", ""):
            record.__dict__["session"] = log_id(session_id)
        return True


def log_id(session_id: str) -> str:
    """Stands for a session in log lines: as `printf sess_... | sha256sum | cut -c-16` gives it."""
    return hashlib.sha256(session_id.encode()).hexdigest()[:16]
