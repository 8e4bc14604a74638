"""Usage as the recorder wrote it, only read. The table is the contract: its columns are the fields of `UsageRecord`."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, TypeAlias

from sqlalchemy import Engine, Select, create_engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.sql import column, table

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.records import COUNTED, UsageRecord

GroupBy: TypeAlias = Literal["day", "session", "end_user"]
MAX_GROUPS = 1000
_COLUMNS: list[Any] = [column(name) for name in (*UsageRecord.model_fields, "day") if name not in ("version", "kind")]
_usage = table("usage", *_COLUMNS)
_GROUPS = {"day": _usage.c.day, "session": _usage.c.session_id, "end_user": _usage.c.end_user_id}


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """One tenant's usage in [start, end), summed by `group_by`; of one session, where it is named. `limit` groups behind `after`."""

    tenant: str
    start: datetime
    end: datetime
    group_by: GroupBy = "day"
    session_id: str | None = None
    after: str | None = None
    limit: int = MAX_GROUPS


@dataclass(frozen=True, slots=True)
class UsageSums:
    """`rows`: `group`, `responses` and the counted sums, in order of `group`. `total` is of all groups, whichever are in `rows`."""

    rows: list[dict[str, Any]]
    total: dict[str, int]
    has_more: bool


class UsageReader:
    """Reads through a pool of its own; an empty URL refuses."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def sums(self, question: UsageQuestion) -> UsageSums:
        """Sums of usage. Raises Problem(usage_unavailable), SQLAlchemyError."""
        if not self._url:
            raise Problem(Code.USAGE_UNAVAILABLE, "this gateway has no usage database (A2_GATEWAY_USAGE_DATABASE)")
        return await asyncio.to_thread(self._read, question)

    def close(self) -> None:
        if self._url:
            self._engine.dispose()

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(read_only(self._url), pool_pre_ping=True, pool_size=2)

    def _read(self, question: UsageQuestion) -> UsageSums:
        with self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(_by_group(question)).mappings()]
            total = {name: int(value or 0) for name, value in connection.execute(_asked(question)).mappings().one().items()}
        return UsageSums(rows[: question.limit], total, has_more=len(rows) > question.limit)


def read_only(url: str) -> str:
    """URL of the same database for reading only: SQLite opens the file so; on a server, name a role that may only read."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    return f"sqlite:///file:{parsed.database}?mode=ro&uri=true"


def _by_group(question: UsageQuestion) -> Select[*tuple[Any, ...]]:
    """Reads one group more than asked for, which shows that there are more."""
    group = _GROUPS[question.group_by]
    statement = _asked(question, group.label("group")).group_by(group).order_by(group).limit(question.limit + 1)
    return statement if question.after is None else statement.where(group > question.after)


def _asked(question: UsageQuestion, *columns: Any) -> Select[*tuple[Any, ...]]:
    responses = func.count(func.nullif(_usage.c.response_id, "")).label("responses")
    statement = select(*columns, responses, *(func.sum(_usage.c[name]).label(name) for name in COUNTED))
    statement = statement.where(_usage.c.tenant == question.tenant, _usage.c.at >= _utc(question.start), _usage.c.at < _utc(question.end))
    return statement.where(_usage.c.session_id == question.session_id) if question.session_id else statement


def _utc(moment: datetime) -> datetime:
    """Converts to the recorder's form: UTC without saying so, which every database compares alike."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
