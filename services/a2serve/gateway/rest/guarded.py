"""Routes that need a key: the caller is authenticated before the body is read, and the body is read by our own reader of JSON."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from a2serve.contracts.json_input import read_json
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.rest.dependencies import admit


class GuardedRoute(APIRoute):
    """`route_class` of every router below /v1. Where the route has a body, it is JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns FastAPI's handler, behind the guard."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            request.state.principal = await admit(request)
            if self.body_field is None:
                return await handle(request)
            _require_json(request)
            return await handle(await _Read.of(request))

        return guarded


class _Read(Request):
    """A request whose body was read."""

    value: Any = None

    @classmethod
    async def of(cls, request: Request) -> "_Read":
        """Reads the request's body. Raises Problem (invalid_json, invalid_value)."""
        read = cls(request.scope, request.receive)
        raw = await read.body()
        read.value = read_json(raw) if raw else None
        return read

    async def json(self) -> Any:
        """Returns the value that was read, where FastAPI would read it."""
        return self.value


def _require_json(request: Request) -> None:
    """Raises Problem(unsupported_media_type) for a body that does not say it is JSON."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem(Code.UNSUPPORTED_MEDIA, f"send application/json, not {kind or 'a body without a content-type'}")
