"""Errors of a model as gRPC has them: a status, words for people, and `a2-error-code` in the trailing metadata for the caller.

One status has several reasons, so the code decides. A replica of an earlier version sends none, and a later one may send a code that
is not known here: then the status has the meaning that it had before there were codes.
"""

from collections.abc import Iterable
from typing import NamedTuple

from grpc import StatusCode

from a2llm.messages import EngineDown, ModelError, Refused, ResponseUnknown, RigUnavailable, UtteranceUnknown, WordsMissing

ERROR_CODE, RETRY_AFTER_MS, INVALID_VALUE = "a2-error-code", "retry-after-ms", "invalid_value"
STATUS: dict[type[ModelError], StatusCode] = {
    Refused: StatusCode.RESOURCE_EXHAUSTED,
    EngineDown: StatusCode.UNAVAILABLE,
    RigUnavailable: StatusCode.FAILED_PRECONDITION,
    UtteranceUnknown: StatusCode.FAILED_PRECONDITION,
    ResponseUnknown: StatusCode.FAILED_PRECONDITION,
    WordsMissing: StatusCode.DEADLINE_EXCEEDED,
}
EXPECTED = (ModelError, ValueError)
_KINDS = {kind.code: kind for kind in STATUS}
_BY_STATUS: dict[StatusCode, type[ModelError]] = {
    STATUS[kind]: kind for kind in (RigUnavailable, EngineDown, Refused)
}  # of replicas without codes


class Status(NamedTuple):
    """The end of a call that did not succeed."""

    code: StatusCode
    details: str
    metadata: tuple[tuple[str, str], ...]


def to_status(error: Exception) -> Status:
    """The end of a call with an EXPECTED error; a ValueError is the caller's fault."""
    if not isinstance(error, ModelError):
        return Status(StatusCode.INVALID_ARGUMENT, str(error), ((ERROR_CODE, INVALID_VALUE),))
    wait = ((RETRY_AFTER_MS, str(error.retry_after_ms)),) if isinstance(error, Refused) else ()
    return Status(STATUS[type(error)], str(error), ((ERROR_CODE, error.code), *wait))


def from_status(
    status: StatusCode, details: str, metadata: Iterable[tuple[str, str | bytes]] | None, precondition: type[ModelError] = RigUnavailable
) -> Exception | None:
    """The EXPECTED error of a call that ended so; None for any other end. precondition: FAILED_PRECONDITION of a replica without codes."""
    said = {key: str(value) for key, value in metadata or ()}
    if said.get(ERROR_CODE) == INVALID_VALUE or (ERROR_CODE not in said and status is StatusCode.INVALID_ARGUMENT):
        return ValueError(details)
    by_status = precondition if status is STATUS[precondition] else _BY_STATUS.get(status)
    kind = _KINDS.get(said.get(ERROR_CODE, ""), by_status)
    if kind is Refused:
        wait_ms = said.get(RETRY_AFTER_MS, "")
        return Refused(details, int(wait_ms) if wait_ms.isdigit() else 0)
    return kind(details) if kind else None
