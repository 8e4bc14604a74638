"""Turns every error into one kind of response: RFC 9457 `application/problem+json` with our codes. The edge of REST."""

import math
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from a2serve.contracts.problems import LONGEST_DETAIL, LONGEST_PARAM, RETRY_AFTER_MS, Code, Problem, shortened
from a2serve.gateway import request_context

MEDIA_TYPE = "application/problem+json"
MOST_ERRORS = 100  # that are listed: a body may have a hundred thousand
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_OF_STATUS = {
    401: Code.UNAUTHORIZED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    408: Code.REQUEST_TIMEOUT,
    413: Code.BODY_TOO_LARGE,
    415: Code.UNSUPPORTED_MEDIA,
    503: Code.UNAVAILABLE,
}


class ProblemBody(BaseModel):
    """The body of every answer that is an error (RFC 9457)."""

    type: str = Field(description="URI of the kind of problem; ends in `code`")
    title: str
    status: int
    code: str = Field(description="stable name; compare this")
    detail: str = Field(description="for people")
    request_id: str = Field(description="also in the header x-request-id")
    param: str | None = Field(default=None, description="the parameter that is wrong, as a path")
    errors: list[dict[str, str]] | None = Field(default=None, description=f"what is wrong, the first {MOST_ERRORS}: param, message")


def problem_response(problem: Problem, *, headers: dict[str, str] | None = None, more: dict[str, Any] | None = None) -> JSONResponse:
    """The answer for a problem."""
    body = problem.as_json(request_context.current().request_id) | (more or {})
    status = problem.meaning.status
    return JSONResponse(body, status, _retry_after(problem) | (headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of the app leaves as a problem. (Defects are caught by `middleware`, which logs them.)"""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


def _of_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    request.app.state.parts.audit_trail.refused(error.code, f"{request.method} {_template(request)}")
    headers = {"www-authenticate": "Bearer"} if error.code is Code.UNAUTHORIZED else None
    return problem_response(error, headers=headers)


def _template(request: Request) -> str:
    """The path without the ids in it."""
    path: str = request.scope["path"]
    for name, value in request.path_params.items():
        path = path.replace(str(value), f"{{{name}}}")
    return path


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        error.headers = {"allow": ", ".join(_allowed(request))}
    code = _OF_STATUS.get(error.status_code, Code.INVALID_VALUE if error.status_code < 500 else Code.INTERNAL)
    return problem_response(Problem(code, error.detail), headers=dict(error.headers or {}))


def _allowed(request: Request) -> list[str]:
    """Methods of all routes of this path; Starlette names those of the first."""
    routes, scopes = request.app.router.routes, {method: {**request.scope, "method": method} for method in METHODS}
    return [method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)]


def _of_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [_listed(fault) for fault in error.errors()[:MOST_ERRORS]]
    first = faults[0] if faults else {"param": "", "message": "the request cannot be right"}
    conditions = [fault["type"] == Code.CONFLICTING for fault in error.errors()]
    code = Code.CONFLICTING if conditions and all(conditions) else Code.INVALID_VALUE
    return problem_response(Problem(code, f"{first['param']}: {first['message']}", param=first["param"]), more={"errors": faults})


def _listed(fault: dict[str, Any]) -> dict[str, str]:
    path, message = ".".join(map(str, fault["loc"])), str(fault["msg"])
    return {"param": shortened(path, LONGEST_PARAM), "message": shortened(message, LONGEST_DETAIL)}


def _of_redis(_: Request, error: Exception) -> JSONResponse:
    return problem_response(Problem(Code.STATE_UNAVAILABLE, "sessions cannot be reached now", retry_after_ms=RETRY_AFTER_MS))


def _of_database(_: Request, error: Exception) -> JSONResponse:
    return problem_response(Problem(Code.USAGE_UNAVAILABLE, "usage cannot be read now", retry_after_ms=RETRY_AFTER_MS))


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], JSONResponse]] = {
    Problem: _of_problem,
    HTTPException: _of_http,
    RequestValidationError: _of_validation,
    RedisError: _of_redis,
    SQLAlchemyError: _of_database,
}


def _retry_after(problem: Problem) -> dict[str, str]:
    wait_ms = problem.retry_after_ms
    if wait_ms is None and problem.meaning.status in (429, 503):
        wait_ms = RETRY_AFTER_MS
    return {"retry-after": str(max(1, math.ceil(wait_ms / 1000)))} if wait_ms is not None else {}
