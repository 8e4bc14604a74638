"""How large a request may be and how long its body may take to come."""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from a2serve.contracts.problems import Code, Problem


class BodyTooLarge(HTTPException):
    """Raised while a body is read, so that reading ends there."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(413, f"a body may have at most {limit_bytes} bytes")


class BodyTooSlow(HTTPException):
    """The same, for one that does not come."""

    def __init__(self, detail: str) -> None:
        super().__init__(408, detail, {"connection": "close"})


@dataclass(frozen=True, slots=True)
class RequestBounds:
    """Bounds of a request, from the settings. `pause_s`: between two pieces of a body; `whole_s`: for all of it."""

    body_bytes: int
    head_bytes: int
    url_bytes: int
    pause_s: float
    whole_s: float

    def fault(self, scope: Scope) -> Problem | None:
        """Fault of a request as its head shows it; None if there is none."""
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:  # RFC 9112, 6.3: what one of us takes for a second request
            return Problem(Code.INVALID_HTTP, "send Content-Length or Transfer-Encoding, not both")
        if len(scope["raw_path"]) + len(scope["query_string"]) > self.url_bytes:
            return Problem(Code.URL_TOO_LONG, f"a URL may have at most {self.url_bytes} bytes")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self.head_bytes:
            return Problem(Code.HEADERS_TOO_LARGE, f"headers may have at most {self.head_bytes} bytes")
        if int(headers.get("content-length") or 0) > self.body_bytes:
            return Problem(Code.BODY_TOO_LARGE, BodyTooLarge(self.body_bytes).detail)
        return None

    def timed(self, receive: Receive) -> Receive:
        """Raises BodyTooLarge, BodyTooSlow from it; a body without a stated length is counted as it comes."""
        return _Body(receive, self).receive


class _Body:
    def __init__(self, receive: Receive, bounds: RequestBounds) -> None:
        self._receive, self._bounds = receive, bounds
        self._bytes, self._began_s, self._complete = 0, asyncio.get_running_loop().time(), False

    async def receive(self) -> Message:
        if self._complete:  # all that may still come is that the client leaves
            return await self._receive()
        message = await self._next()
        self._bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._bytes > self._bounds.body_bytes:
            raise BodyTooLarge(self._bounds.body_bytes)
        return message

    async def _next(self) -> Message:
        bounds, left_s = self._bounds, self._began_s + self._bounds.whole_s - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(bounds.pause_s, left_s)):
                return await self._receive()
        except TimeoutError:
            detail = f"a body has to come within {bounds.whole_s:g} s, and not pause for {bounds.pause_s:g} s"
            raise BodyTooSlow(detail) from None
