"""SQL under the recorder, on SQLite and on PostgreSQL: batches, offsets, what cannot be stored, migrations up, down and newer."""

import json
import logging
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from a2serve.contracts.records import AuditRecord, RecordBase, SessionRecord, TurnRecord, UsageRecord, topic_of, write_record
from a2serve.gateway.state.usage_reader import UsageQuestion, UsageReader
from a2serve.recorder.database import Message, RecordDatabase
from a2serve.recorder.tables import metadata
from a2serve.recorder.upgrading import MIGRATIONS, configuration

EXAMPLES: list[RecordBase] = [
    SessionRecord(tenant="acme", session_id="s", event="created"),
    TurnRecord(tenant="acme", session_id="s", response_id="r", status="completed", first_packet_ms=12.5),
    UsageRecord(tenant="acme", session_id="s", response_id="r", input_tokens=3),
    AuditRecord(tenant="acme", actor="k", action="a.b", detail={"x": "y"}),
]


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


def test_usage_by_day_session_and_tenant(database: RecordDatabase, database_url: str) -> None:
    """Days are UTC days, whatever offset a record was written with."""
    east = timezone(timedelta(hours=9))
    moments = [datetime(2026, 1, 31, 23, 30, tzinfo=UTC), datetime(2026, 2, 1, 9, 0, tzinfo=east), datetime(2026, 2, 1, 8, 0, tzinfo=east)]
    mine = [
        UsageRecord(tenant="acme", session_id=f"s{i}", response_id=f"r{i}", at=at, input_tokens=10 + i, output_audio_ms=100)
        for i, at in enumerate(moments)
    ]
    other = UsageRecord(tenant="globex", session_id="s0", response_id="x", at=moments[0], input_tokens=1000)
    database.store([Message("a2.usage", 0, i, write_record(record)) for i, record in enumerate([*mine, other])])
    reader = UsageReader(database_url)
    window = {"start": datetime(2026, 1, 1, tzinfo=UTC), "end": datetime(2026, 3, 1, tzinfo=UTC)}
    days = reader._read(UsageQuestion("acme", **window)).rows
    assert [(row["group"], row["responses"], row["input_tokens"]) for row in days] == [("2026-01-31", 2, 22), ("2026-02-01", 1, 11)]
    sessions = reader._read(UsageQuestion("acme", **window, group_by="session")).rows
    assert [row["group"] for row in sessions] == ["s0", "s1", "s2"]
    only = reader._read(UsageQuestion("acme", **window, session_id="s1")).rows
    assert [row["output_audio_ms"] for row in only] == [100]
    edge = UsageQuestion("acme", datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, 0, 0, 1, tzinfo=UTC))
    assert [row["responses"] for row in reader._read(edge).rows] == [1]
    if database.engine.dialect.name == "sqlite":  # on a server the role says so
        with pytest.raises(Exception, match="readonly"), reader._engine.begin() as connection:
            connection.execute(text("delete from usage"))
    reader.close()


def test_usage_by_page_has_the_total_of_all_groups(database: RecordDatabase, database_url: str) -> None:
    """Postgres sorts as its locale has it, so what comes behind a group is asked of the database itself."""
    at, users = datetime(2026, 1, 31, tzinfo=UTC), ["", "Zoe", "ann", "Änne", *(f"user-{i}" for i in range(1001))]
    bought = [
        UsageRecord(tenant="acme", session_id="s", response_id=f"r{i}", end_user_id=user, at=at, input_tokens=1)
        for i, user in enumerate(users)
    ]
    database.store([Message("a2.usage", 0, i, write_record(record)) for i, record in enumerate(bought)])
    reader = UsageReader(database_url)
    question = UsageQuestion("acme", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), "end_user")
    whole = reader._read(question)
    assert (len(whole.rows), whole.has_more, whole.total["responses"], whole.total["input_tokens"]) == (1000, True, 1005, 1005)
    found: list[str] = []
    page = None
    while page is None or page.has_more:
        page = reader._read(replace(question, after=found[-1] if found else None, limit=150))
        assert page.total["responses"] == 1005 and len(page.rows) <= 150
        found += [row["group"] for row in page.rows]
    assert len(found) == len(users) and set(found) == set(users)
    nobody = reader._read(replace(question, tenant="globex"))
    assert (nobody.rows, nobody.has_more, set(nobody.total.values())) == ([], False, {0})
    reader.close()


def test_a_message_that_sql_refuses_does_not_hold_up_the_others(database: RecordDatabase, caplog: pytest.LogCaptureFixture) -> None:
    good = [UsageRecord(tenant="acme", session_id="s", response_id=f"r{i}") for i in range(4)]
    values = [write_record(record) for record in good]
    huge = values[1].replace(b'"input_tokens":0', b'"input_tokens":9223372036854775808')
    last_day = json.loads(values[2]) | {"record_id": "late", "at": "9999-12-31T23:59:59-12:00"}  # UTC has no such year
    values[1:1] = [huge, json.dumps(last_day).encode()]
    stored = database.store([Message("a2.usage", 0, index, value) for index, value in enumerate(values)])
    assert stored.outcomes == {("a2.usage", "stored"): 4, ("a2.usage", "unreadable"): 2}
    assert database.next_offset("a2.usage", 0) == 6
    with database.engine.connect() as connection:
        assert connection.execute(text('select "offset", value from unreadable order by "offset"')).all() == [(1, huge), (2, values[2])]
        assert connection.execute(text("select count(*) from usage")).scalar_one() == 4


def test_a_value_wider_than_its_column_is_set_aside(database: RecordDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract's bounds are the columns', so this takes a contract that lost them: SQL's own refusal is enough."""
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite's columns have no width")
    wide = SessionRecord.model_construct(**EXAMPLES[0].model_dump() | {"record_id": "wide", "turns": 1 << 31})
    monkeypatch.setattr("a2serve.recorder.database.read_record", lambda _topic, raw: wide if raw == b"wide" else EXAMPLES[0])
    stored = database.store([Message("a2.sessions", 0, 0, b"one"), Message("a2.sessions", 0, 1, b"wide")])
    assert stored.outcomes == {("a2.sessions", "stored"): 1, ("a2.sessions", "unreadable"): 1}
    with database.engine.connect() as connection:
        assert "out of range" in connection.execute(text("select error from unreadable")).scalar_one()


def test_migrations_make_what_the_tables_say(database: RecordDatabase) -> None:
    database.migrate()  # a second time is none
    with database.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    found = inspect(database.engine)
    for table in metadata.tables.values():
        columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}


def test_migrations_have_one_head_and_go_both_ways(database: RecordDatabase) -> None:
    with database.engine.begin() as connection:
        config = configuration(connection)
        scripts = ScriptDirectory.from_config(config)
        assert len(scripts.get_heads()) == 1
        made = sorted(inspect(connection).get_table_names())
        for script in scripts.walk_revisions():  # newest first
            command.downgrade(config, script.down_revision or "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        for script in reversed(list(scripts.walk_revisions())):
            command.upgrade(config, script.revision)
        assert sorted(inspect(connection).get_table_names()) == made


def test_replicas_that_start_together_migrate_once(database_url: str) -> None:
    failures: list[Exception] = []

    def start() -> None:
        database = RecordDatabase(database_url)
        try:
            database.migrate()
        except (SQLAlchemyError, CommandError) as error:
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_an_older_recorder_works_on_newer_tables(database_url: str, database: RecordDatabase, caplog: pytest.LogCaptureFixture) -> None:
    """`helm rollback` over a migration leads to a revision that this version does not know, and to columns it does not fill."""
    with database.engine.begin() as connection:
        connection.execute(text("alter table usage add column cost_micros bigint default 0 not null"))
        connection.execute(text("alter table turns add column mood varchar(16)"))
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with caplog.at_level(logging.WARNING):
        database.migrate()
    assert "newer version (9999)" in caplog.text
    messages = [Message(topic_of(record), 0, index, write_record(record)) for index, record in enumerate(EXAMPLES)]
    assert {outcome for _, outcome in database.store(messages).outcomes} == {"stored"}
    command_line = [sys.executable, "-m", "a2serve.recorder.migrate"]
    ended = subprocess.run(command_line, env={"A2_RECORDER_DATABASE": database_url}, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0 and "Traceback" not in ended.stderr and "going on" in ended.stderr + ended.stdout
    with database.engine.connect() as connection:
        assert connection.execute(text("select version_num from alembic_version")).scalar_one() == "9999"


def test_the_migrations_program_says_what_it_is_and_names_a_setting(tmp_path: Path) -> None:
    command_line, url = [sys.executable, "-m", "a2serve.recorder.migrate"], f"sqlite:///{tmp_path / 'r.sqlite'}"
    for more, value, status, said in (
        (["--help"], url, 0, "usage:"),
        (["now"], url, 2, "unrecognized"),
        ([], "nonsense", 1, "A2_RECORDER_DATABASE"),
    ):
        ended = subprocess.run([*command_line, *more], env={"A2_RECORDER_DATABASE": value}, capture_output=True, text=True, timeout=120)
        assert ended.returncode == status and said in ended.stdout + ended.stderr and "Traceback" not in ended.stderr
    assert not (tmp_path / "r.sqlite").exists(), "nothing was made"


def test_migrations_only_add() -> None:
    """An older recorder writes into newer tables: nothing it knows goes away, and what is new has a default."""
    for file in sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))[1:]:
        up = file.read_text().partition("def downgrade")[0]
        for taken in ("drop_column", "drop_table", "alter_column", "rename_table"):
            assert f"op.{taken}" not in up, f"{file.name} takes something away"
