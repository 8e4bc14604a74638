"""Refusals are logged once and with their number, however often; keys are logged when they are made and when they end."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from a2serve.contracts.problems import Code
from a2serve.contracts.records import AuditRecord
from a2serve.gateway import request_context
from a2serve.gateway.state.audit_trail import MOST_KINDS, NOBODY, REPORTED_EVERY_S, AuditTrail
from a2serve.gateway.tenants import ApiKey, Tenants


class Book:
    """An outbox that may be away, a clock, a tenants file."""

    def __init__(self) -> None:
        self.written: list[AuditRecord] = []
        self.away, self.now_s = False, 0.0
        self.keys: tuple[ApiKey, ...] = ()
        outbox: Any = self
        self.trail = AuditTrail(outbox, lambda: Tenants(keys=self.keys), lambda: self.now_s)

    async def write(self, *records: AuditRecord) -> None:
        if self.away:
            raise RedisConnectionError
        self.written += records

    def flush(self, later_s: float = 0.0) -> list[AuditRecord]:
        self.now_s += later_s
        self.written = []
        asyncio.run(self.trail.flush())
        return self.written


@pytest.fixture
def book() -> Book:
    context = request_context.begin("req_1")
    context.tenant, context.key_id, context.session_id = "acme", "k1", "sess_1"
    return Book()


def test_a_refusal_is_told_at_once_and_its_repeats_by_their_number(book: Book) -> None:
    for _ in range(1000):
        book.trail.refused(Code.FORBIDDEN, "GET /v1/usage")
    (first,) = book.flush()
    assert (first.tenant, first.actor, first.action, first.target, first.outcome) == ("acme", "k1", "GET /v1/usage", "sess_1", "refused")
    assert first.detail == {"code": "forbidden"} and first.request_id == "req_1"
    assert book.flush(REPORTED_EVERY_S - 1) == []
    (rest,) = book.flush(1)
    assert rest.detail == {"code": "forbidden", "times": "999"} and rest.record_id != first.record_id
    book.trail.refused(Code.FORBIDDEN, "GET /v1/usage")
    assert len(book.flush()) == 1 and book.flush(REPORTED_EVERY_S) == []


def test_a_flood_of_kinds_is_bounded_for_each_tenant(book: Book) -> None:
    for number in range(10_000):
        request_context.current().session_id = f"sess_{number}"
        book.trail.refused(Code.RATE_LIMITED, "POST /v1/sessions/{session_id}/turns")
    assert len(book.flush()) == MOST_KINDS + 1
    rest = book.flush(REPORTED_EVERY_S)
    assert [record.detail["times"] for record in rest] == [str(10_000 - MOST_KINDS - 1)]
    request_context.current().tenant = request_context.current().key_id = ""
    book.trail.refused(Code.UNAUTHORIZED, "GET /v1/usage")
    assert [(record.tenant, record.actor) for record in book.flush()] == [(NOBODY, "")]


def test_what_cannot_be_right_is_no_refusal(book: Book) -> None:
    for code in set(Code) - {Code.UNAUTHORIZED, Code.FORBIDDEN, Code.RATE_LIMITED, Code.CONCURRENCY, Code.STORAGE_FULL}:
        book.trail.refused(code, "GET /v1/usage")
    assert book.flush() == []


def test_nothing_is_lost_nor_grows_while_redis_is_away(book: Book) -> None:
    book.away = True
    for _ in range(100):
        book.trail.refused(Code.FORBIDDEN, "GET /v1/usage")
        assert book.flush(REPORTED_EVERY_S) == []
    book.away = False
    assert len(book.flush()) == 1 and [record.detail["times"] for record in book.flush()] == ["99"]


def test_keys_are_told_when_they_are_made_and_when_they_end(book: Book) -> None:
    made, ended = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    key = ApiKey(id="k1", tenant="acme", sha256="a" * 64, created=made)
    other = ApiKey(id="k2", tenant="acme", sha256="b" * 64, created=made)
    book.keys = (key, other)
    assert Counter((record.action, record.target, record.at) for record in book.flush()) == Counter(
        {("key.create", "k1", made): 1, ("key.create", "k2", made): 1}
    )
    book.keys = (key.model_copy(update={"revoked": ended}),)
    revoked = book.flush()
    assert sorted((record.action, record.target) for record in revoked) == [("key.revoke", "k1"), ("key.revoke", "k2")]
    assert revoked[0].at == ended and book.flush() == []
    again = Book()
    again.keys = book.keys
    assert revoked[0].record_id in {record.record_id for record in again.flush()}, "one row, whichever gateway tells"
