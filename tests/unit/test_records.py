"""Records: what is written can be read, by topic; tables and the usage query hold what the contract says."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text

from a2serve.contracts.records import (
    RECORDS,
    TOPICS,
    AuditRecord,
    SessionRecord,
    TurnRecord,
    UsageRecord,
    key_of,
    read_record,
    record_schemas,
    topic_of,
    write_record,
)
from a2serve.gateway.state import usage
from a2serve.gateway.state.usage import UsageQuestion, UsageReader
from a2serve.recorder.database import Message, RecordDatabase
from a2serve.recorder.tables import TABLE_OF, row_of

EXAMPLES = [
    SessionRecord(tenant="acme", session_id="s", event="created"),
    TurnRecord(tenant="acme", session_id="s", response_id="r", status="completed", user_text="é", first_packet_ms=12.5),
    UsageRecord(tenant="acme", session_id="s", response_id="r", input_tokens=3),
    AuditRecord(tenant="acme", actor="k", action="a.b", detail={"x": "y"}),
]


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: record.kind)
def test_a_record_comes_back_as_it_was(record) -> None:
    assert read_record(topic_of(record), write_record(record)) == record
    assert key_of(record) == ("s" if record.kind in ("session", "turn") else "acme")
    assert set(row_of(record)) == {column.name for column in TABLE_OF[topic_of(record)].columns}


def test_readers_ignore_what_is_new_and_refuse_what_they_cannot_know() -> None:
    raw = write_record(EXAMPLES[2])
    assert read_record("a2.usage", raw.replace(b'"version":1', b'"version":1,"new":true')) == EXAMPLES[2]
    for broken in (raw.replace(b'"version":1', b'"version":2'), b"", b"{}", b"[1]", b"\xff"):
        with pytest.raises(ValueError, match=r"a2\.usage"):
            read_record("a2.usage", broken)
    with pytest.raises(ValueError, match="no records belong"):
        read_record("a2.nothing", raw)


def test_every_topic_has_a_schema_and_a_table() -> None:
    assert set(TOPICS) == set(RECORDS) == set(TABLE_OF) == set(record_schemas())
    assert {column.name for column in usage._usage.columns} == {column.name for column in TABLE_OF["a2.usage"].columns}


@pytest.fixture
def database(tmp_path: Path):
    made = RecordDatabase(f"sqlite:///{tmp_path / 'deep' / 'r.sqlite'}")
    made.migrate()
    yield made
    made.close()


def test_a_batch_is_stored_once_with_its_offsets(database: RecordDatabase) -> None:
    messages = [Message(topic_of(record), 0, index, write_record(record)) for index, record in enumerate(EXAMPLES)]
    first = database.store([*messages, Message("a2.usage", 1, 4, b"nonsense")])
    assert sum(count for (_, outcome), count in first.outcomes.items() if outcome == "stored") == 4
    assert first.outcomes["a2.usage", "unreadable"] == 1
    again = database.store([Message(m.topic, 2, m.offset, m.value) for m in messages])
    assert {outcome for _, outcome in again.outcomes} == {"repeated"}
    assert (database.next_offset("a2.usage", 0), database.next_offset("a2.usage", 1), database.next_offset("a2.usage", 9)) == (3, 5, None)
    with database.engine.connect() as connection:
        assert connection.execute(text("select value, error from unreadable")).one()[0] == b"nonsense"


def test_a_batch_that_fails_leaves_nothing(database: RecordDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the power went out")

    monkeypatch.setattr("a2serve.recorder.database._remember", broken)
    with pytest.raises(RuntimeError):
        database.store([Message("a2.usage", 0, 0, write_record(EXAMPLES[2]))])
    assert database.next_offset("a2.usage", 0) is None
    with database.engine.connect() as connection:
        assert connection.execute(text("select count(*) from usage")).scalar_one() == 0


def test_usage_by_day_session_and_tenant(database: RecordDatabase) -> None:
    """Days are UTC days, whatever offset a record was written with."""
    east = timezone(timedelta(hours=9))
    moments = [datetime(2026, 1, 31, 23, 30, tzinfo=UTC), datetime(2026, 2, 1, 9, 0, tzinfo=east), datetime(2026, 2, 1, 8, 0, tzinfo=east)]
    mine = [
        UsageRecord(tenant="acme", session_id=f"s{i}", response_id=f"r{i}", at=at, input_tokens=10 + i, output_audio_ms=100)
        for i, at in enumerate(moments)
    ]
    other = UsageRecord(tenant="globex", session_id="s0", response_id="x", at=moments[0], input_tokens=1000)
    database.store([Message("a2.usage", 0, i, write_record(record)) for i, record in enumerate([*mine, other])])
    reader = UsageReader(str(database.engine.url))
    window = {"start": datetime(2026, 1, 1, tzinfo=UTC), "end": datetime(2026, 3, 1, tzinfo=UTC)}
    days = reader._read(UsageQuestion("acme", **window))
    assert [(row["group"], row["responses"], row["input_tokens"]) for row in days] == [("2026-01-31", 2, 22), ("2026-02-01", 1, 11)]
    sessions = reader._read(UsageQuestion("acme", **window, group_by="session"))
    assert [row["group"] for row in sessions] == ["s0", "s1", "s2"]
    only = reader._read(UsageQuestion("acme", **window, session_id="s1"))
    assert [row["output_audio_ms"] for row in only] == [100]
    edge = UsageQuestion("acme", datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, 0, 0, 1, tzinfo=UTC))
    assert [row["responses"] for row in reader._read(edge)] == [1]
    with pytest.raises(Exception, match="readonly"), reader._engine.begin() as connection:
        connection.execute(text("delete from usage"))
    reader.close()
