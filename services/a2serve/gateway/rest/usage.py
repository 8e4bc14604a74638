"""GET /v1/usage: what was used, as the recorder counted it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.rest.dependencies import ApiCaller, Parts, problems
from a2serve.gateway.rest.guarded import GuardedRoute
from a2serve.gateway.state.usage import COUNTED, MAX_ROWS, GroupBy, UsageQuestion

router = APIRouter(tags=["usage"], route_class=GuardedRoute)
LONGEST_DAYS = 400
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000


class UsageRow(BaseModel):
    """Sums of one group: a day (UTC, YYYY-MM-DD), a session or an end user."""

    group: str
    responses: int
    input_tokens: int
    cached_tokens: int = Field(description="part of input_tokens that was not computed again")
    output_text_tokens: int
    input_audio_ms: int
    output_audio_ms: int
    output_motion_frames: int
    session_ms: int = Field(description="how long sockets were open; counted when they closed")


class UsageTotal(BaseModel):
    responses: int
    input_tokens: int
    cached_tokens: int
    output_text_tokens: int
    input_audio_ms: int
    output_audio_ms: int
    output_motion_frames: int
    session_ms: int


class UsageBody(BaseModel):
    """Usage in [start, end). `truncated`: there are more groups than rows; ask for a shorter time."""

    object: str = "a2.usage"
    start: datetime
    end: datetime
    group_by: GroupBy
    data: list[UsageRow]
    total: UsageTotal = Field(description="of the rows in `data`")
    truncated: bool


@router.get("/usage", summary="Read usage", responses=problems(Code.USAGE_UNAVAILABLE))
async def read_usage(
    parts: Parts, caller: ApiCaller,
    start: Annotated[datetime | None, Query(description="default: 30 days before `end`; without an offset, UTC")] = None,
    end: Annotated[datetime | None, Query(description="default: now")] = None,
    group_by: GroupBy = "day",
    session_id: Annotated[str | None, Query(max_length=64, description="of one session only")] = None,
) -> UsageBody:  # fmt: skip
    """Of your tenant. A response is counted a few seconds after it ended."""
    until = _utc(end, "end") if end else datetime.now(UTC)
    since = _utc(start, "start") if start else until - timedelta(days=30)
    if not timedelta(0) < until - since <= timedelta(days=LONGEST_DAYS):
        raise Problem(Code.INVALID_VALUE, f"`start` has to be before `end`, by at most {LONGEST_DAYS} days", param="start")
    rows = [UsageRow(**row) for row in await parts.usage.rows(UsageQuestion(caller.tenant, since, until, group_by, session_id))]
    sums = {name: sum(getattr(row, name) for row in rows) for name in ("responses", *COUNTED)}
    return UsageBody(
        start=since, end=until, group_by=group_by, data=rows, total=UsageTotal(**sums), truncated=len(rows) == MAX_ROWS
    )


def _utc(moment: datetime, param: str) -> datetime:
    """Raises Problem(invalid_value) for what is outside of the years that can be reckoned with."""
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise Problem(Code.INVALID_VALUE, f"`{param}` has to be within the years {EARLIEST_YEAR} to {LATEST_YEAR}", param=param)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
