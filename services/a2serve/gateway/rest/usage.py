"""GET /v1/usage: what was used, as the recorder counted it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.rest.dependencies import ApiCaller, Parts, problems
from a2serve.gateway.rest.guarded import GuardedRoute
from a2serve.gateway.state.usage_reader import MAX_GROUPS, GroupBy, UsageQuestion

router = APIRouter(tags=["usage"], route_class=GuardedRoute)
LONGEST_DAYS = 400
# RFC 3339, of the years 1970 to 8999: beyond them times cannot be reckoned with. Without an offset it is UTC.
_DAY = r"(19[7-9][0-9]|[2-8][0-9]{3})-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
MOMENT = rf"^{_DAY}([Tt ]{_TIME})?$"


def _moment(said: object) -> object:
    """Refuses a number as a time: its unit would be a guess."""
    if isinstance(said, str) and not re.fullmatch(MOMENT, said):
        raise PydanticCustomError("moment", "write the time as in 2026-01-31T12:00:00Z, within the years 1970 to 8999")
    return said


def _utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


Moment = Annotated[
    datetime, BeforeValidator(_moment), AfterValidator(_utc), WithJsonSchema({"type": "string", "format": "date-time", "pattern": MOMENT})
]


class UsageTotal(BaseModel):
    responses: int
    input_tokens: int
    cached_tokens: int = Field(description="part of input_tokens that was not computed again")
    output_text_tokens: int
    input_audio_ms: int
    output_audio_ms: int
    output_motion_frames: int
    session_ms: int = Field(description="how long sockets were open; counted when they closed")


class UsageRow(UsageTotal):
    """Sums of one group: a day (UTC, YYYY-MM-DD), a session or an end user."""

    group: str


class UsageBody(BaseModel):
    """Usage in [start, end), in order of `group`. `has_more`: ask again with `after`: `last_id`."""

    object: str = "a2.usage"
    start: datetime
    end: datetime
    group_by: GroupBy
    data: list[UsageRow]
    total: UsageTotal = Field(description="of all groups, whichever are in `data`")
    has_more: bool
    last_id: str | None = Field(description="the last `group` in `data`")


@router.get("/usage", summary="Read usage", responses=problems(Code.CONFLICTING, Code.USAGE_UNAVAILABLE))
async def read_usage(
    parts: Parts,
    caller: ApiCaller,
    start: Annotated[Moment | None, Query(description="default: 30 days before `end`")] = None,
    end: Annotated[Moment | None, Query(description="default: now")] = None,
    group_by: GroupBy = "day",
    session_id: Annotated[str | None, Query(pattern=r"^[!-~]{1,64}$", description="of one session only")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_GROUPS, description="most groups in `data`")] = MAX_GROUPS,
    after: Annotated[str | None, Query(pattern=r"^[^\x00]{0,128}$", description="the last `group` you have")] = None,
) -> UsageBody:
    """Usage of your tenant. A response is counted a few seconds after it ended. `start` has to be before `end`, by at most 400 days."""
    until = end or datetime.now(UTC)
    since = start or until - timedelta(days=30)
    if not timedelta(0) < until - since <= timedelta(days=LONGEST_DAYS):
        raise Problem(Code.CONFLICTING, f"`start` has to be before `end`, by at most {LONGEST_DAYS} days", param="start")
    sums = await parts.usage.sums(UsageQuestion(caller.tenant, since, until, group_by, session_id, after, limit))
    rows = [UsageRow(**row) for row in sums.rows]
    return UsageBody(
        start=since,
        end=until,
        group_by=group_by,
        data=rows,
        total=UsageTotal(**sums.total),
        has_more=sums.has_more,
        last_id=rows[-1].group if rows else None,
    )
