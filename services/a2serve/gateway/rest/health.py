"""For operators: is it alive, can it take work, what are its numbers. Asked without a key; keep them off the internet."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.responses import Response

from a2serve.contracts.problems import Problem
from a2serve.gateway.parts import parts_of

router = APIRouter(tags=["operation"])
CHECK_S = 2.0


class Health(BaseModel):
    """Alive."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """What new work needs. The broker is not among it: records wait in Redis."""

    ready: bool
    draining: bool
    redis: str
    inference: str


@router.get("/healthz", summary="Is the process alive")
async def healthz() -> Health:
    """Says nothing about what it depends on."""
    return Health()


@router.get("/readyz", summary="Can it take work", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(request: Request) -> Response:
    """200, or 503 while Redis or inference cannot be reached, and while it drains."""
    parts = parts_of(request)
    redis, inference = await asyncio.gather(_check(parts.redis.execute_command("PING")), _check(parts.inference.describe()))
    ready = redis == inference == "ok" and not parts.draining
    body = Readiness(ready=ready, draining=parts.draining, redis=redis, inference=inference)
    return JSONResponse(body.model_dump(), 200 if ready else 503, None if ready else {"retry-after": "2"})


@router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """In Prometheus' text format."""
    return Response(generate_latest(parts_of(request).registry), media_type=CONTENT_TYPE_LATEST)


async def _check(asking: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(CHECK_S):
            await asking
    except (RedisError, Problem, TimeoutError) as error:
        return f"unreachable ({type(error).__name__})"
    return "ok"
