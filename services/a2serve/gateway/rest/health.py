"""For operators: is it alive, can it take sockets, how is all it needs, its numbers. Asked without a key; keep them off the internet."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.responses import Response

from a2serve.gateway.parts import parts_of

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """Body of a gateway that is alive."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether this replica takes sockets. What it depends on is told as it was seen some seconds ago, and decides at the start only."""

    ready: bool
    draining: bool
    redis: str = Field(examples=["ok", "unreachable (ConnectionError)"])
    inference: str


class Status(Readiness):
    """`Readiness`, asked anew, and how busy this replica is. The broker is not among it: records wait in Redis."""

    sockets: int
    loop_lag_ms: float = Field(description="how late the event loop last woke a sleeper")


@router.get("/healthz", summary="Is the process alive")
async def healthz() -> Health:
    """Says nothing about what it depends on."""
    return Health()


@router.get("/readyz", summary="Can it take sockets", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(request: Request) -> Response:
    """503 until Redis and inference were reached once, and while it drains; else 200, also when they are gone for a while:
    open sockets go on without them, and a request that needs them answers 503 itself.
    """
    parts = parts_of(request)
    ready = await parts.dependencies.were_reached() and not parts.draining
    body = Readiness(ready=ready, draining=parts.draining, **parts.dependencies.last)
    return JSONResponse(body.model_dump(), 200 if ready else 503, None if ready else {"retry-after": "2"})


@router.get("/statusz", summary="How it is, and what it depends on")
async def statusz(request: Request) -> Status:
    """Always 200. Asks Redis and inference now, which takes up to 2 s while they do not answer."""
    parts = parts_of(request)
    seen, sockets = await parts.dependencies.look(), len(request.app.state.realtime.sessions)
    ready, lag_ms = parts.dependencies.reached_once and not parts.draining, round(parts.loop_lag.last_s * 1000, 3)
    return Status(ready=ready, draining=parts.draining, sockets=sockets, loop_lag_ms=lag_ms, **seen)


@router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Every metric in Prometheus' text format."""
    return Response(generate_latest(parts_of(request).registry), media_type=CONTENT_TYPE_LATEST)
