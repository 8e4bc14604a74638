"""Facts of a session as records: what a response cost, who is told, ids that make a repeat harmless, and the spool where Redis is away."""

import asyncio
from dataclasses import replace

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from a2llm.messages import Timings, Usage
from a2serve.contracts.records import AuditRecord, RecordBase, SessionRecord, TurnRecord, UsageRecord
from a2serve.gateway import request_context
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.records_sink import OutboxRecords

TURN = TurnFacts("acme", "sess_1", "resp_1", "completed", "hi", "hello", Usage(3, 1, 2, 400), Timings(), audio_ms=400, model="rev-1")
OPENED = SessionFacts("acme", "sess_1", "opened", holder="h1", fresh=True)


class Outbox:
    def __init__(self, away: bool = False) -> None:
        self.written: list[RecordBase] = []
        self.away = away

    async def write(self, *records: RecordBase) -> None:
        if self.away:
            raise RedisConnectionError("away")
        self.written += records


class Transcripts:
    def __init__(self, row: bytes = b"") -> None:
        self.kept: list[tuple[str, str]] = []
        self._row = row

    async def keep(self, facts: TurnFacts, end_user_id: str) -> None:
        self.kept.append((facts.response_id, end_user_id))

    def row(self, facts: TurnFacts, end_user_id: str) -> bytes:
        return self._row


class Late:
    def __init__(self, takes: bool = True) -> None:
        self.spooled: list[RecordBase] = []
        self.streams: list[tuple[str, list[tuple[str, str, str]]]] = []
        self.takes = takes

    def records(self, records: list[RecordBase]) -> bool:
        self.spooled += records
        return self.takes

    def stream(self, name: str, entries: list[tuple[str, str, str]]) -> bool:
        self.streams.append((name, entries))
        return self.takes


def sink(outbox: Outbox | None = None, transcripts: Transcripts | None = None, late: Late | None = None) -> OutboxRecords:
    return OutboxRecords(outbox or Outbox(), transcripts or Transcripts(), late or Late(), lambda: "rev-now")


def test_a_turn_and_its_bill_are_written_together_with_ids_of_the_response() -> None:
    outbox, words = Outbox(), Transcripts()
    for _ in range(2):  # again, where it is not known whether the first time worked
        asyncio.run(sink(outbox, words).write(TURN))
    turns, bills = ([each for each in outbox.written if isinstance(each, kind)] for kind in (TurnRecord, UsageRecord))
    assert {each.record_id for each in turns} == {"turn_resp_1"} and len({each.record_id for each in bills}) == 1
    assert (bills[0].input_tokens, bills[0].cached_tokens, bills[0].output_audio_ms, bills[0].model) == (3, 1, 400, "rev-1")
    assert [each[0] for each in words.kept] == ["resp_1", "resp_1"]


@pytest.mark.parametrize(
    ("facts", "bills"),
    [
        (TURN, 1),
        (replace(TURN, status="failed", usage=Usage()), 0),
        (replace(TURN, status="failed"), 1),
        (replace(TURN, status="failed", usage=Usage(), motion_frames=5), 1),
        (replace(TURN, status="cancelled", usage=Usage()), 1),
    ],
)
def test_what_was_refused_costs_nothing_and_what_was_sent_does(facts: TurnFacts, bills: int) -> None:
    assert sum(isinstance(each, UsageRecord) for each in sink().of_turn(facts)) == bills


def test_a_response_that_names_no_model_was_answered_by_the_one_of_now() -> None:
    (bill,) = [each for each in sink().of_turn(replace(TURN, model="")) if isinstance(each, UsageRecord)]
    assert bill.model == "rev-now"


def test_a_socket_leaves_when_it_opened_and_how_long_it_was_open() -> None:
    opened = sink().of_session(OPENED)
    assert [type(each) for each in opened] == [SessionRecord, AuditRecord] and opened[1].action == "session.create"
    assert [type(each) for each in sink().of_session(replace(OPENED, fresh=False))] == [SessionRecord], "a resumed session is not made anew"
    closed = sink().of_session(replace(OPENED, event="closed", cause="client", duration_ms=61_000, turns=3))
    bill = next(each for each in closed if isinstance(each, UsageRecord))
    assert (bill.session_ms, bill.response_id, closed[0].turns) == (61_000, "", 3)


@pytest.mark.parametrize(("updates", "audits"), [(0, 0), (1, 0), (4, 1)])
def test_changes_of_settings_are_audited_at_the_first_and_at_the_end(updates: int, audits: int) -> None:
    changed = replace(OPENED, event="closed", updates=updates, updated=("instructions", "tools"))
    found = [each for each in sink().of_session(changed) if isinstance(each, AuditRecord)]
    assert len(found) == audits
    if found:
        assert found[0].detail == {"by": "socket", "settings": "instructions, tools", "times": "3"}
    (first,) = sink().of_session(replace(OPENED, event="updated", updates=1, updated=("instructions",)))
    assert first.action == "session.update" and first.detail["settings"] == "instructions"


def test_who_opened_it_is_in_the_records() -> None:
    request_context.begin("req_1")
    context = request_context.current()
    context.key_id, context.end_user_id = "key_1", "user_1"
    session, audit = sink().of_session(OPENED)
    assert (session.key_id, session.end_user_id, audit.actor, audit.request_id) == ("key_1", "user_1", "key_1", context.request_id)


def test_what_redis_does_not_take_waits_on_disk() -> None:
    late = Late()
    asyncio.run(sink(Outbox(away=True), Transcripts(b'{"said": "hello"}'), late).write(TURN))
    assert {type(each) for each in late.spooled} == {TurnRecord, UsageRecord} and len(late.streams) == 1
    with pytest.raises(RedisConnectionError):
        asyncio.run(sink(Outbox(away=True), late=Late(takes=False)).write(TURN))
