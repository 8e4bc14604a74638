"""Transcripts are kept only where the tenant asks for it, for as long as it says, and are gone from everywhere with their session."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import websockets
from sqlalchemy import text
from support.kept_words import all_of_redis, all_of_sql
from support.servers.gateway import GatewayStand, eventually, gateway_standing, run
from support.servers.realtime import Client

from a2serve.gateway.state import redis_keys, transcripts
from a2serve.gateway.state.outbox import VALUE
from a2serve.gateway.state.transcripts import TranscriptTable
from a2serve.recorder.database import RecordDatabase
from a2serve.recorder.tables import erased as erased_table
from a2serve.recorder.tables import transcripts as transcripts_table

SAID, ANSWERED = "My card number is 4929-1188-xyzzy", "one two three four five"
IDEMPOTENT = {"idempotency-key": "the-first"}


def _ask_for_transcripts(folder: Path, days: int = 30) -> None:
    (folder / "tenants.toml").write_text(f"[tenants.acme]\ntranscripts_days = {days}\n")


async def _talk(made: GatewayStand, tenant: str = "acme") -> str:
    """A session in which SAID was said; its id."""
    async with made.client(tenant) as client:
        made_it = await client.post("/v1/sessions", json={"end_user_id": "u7"}, headers={"idempotency-key": f"s-{tenant}"})
        session_id, said = made_it.json()["id"], {"text": SAID, "stream": False}
        response = await client.post(f"/v1/sessions/{session_id}/turns", json=said, headers=IDEMPOTENT)
        assert response.status_code == 200, response.text
    return session_id


def _rows(database: RecordDatabase) -> list[tuple[str, str, str, str]]:
    with database.engine.connect() as connection:
        statement = text("select tenant, session_id, user_text, avatar_text from transcripts order by tenant")
        return [tuple(row) for row in connection.execute(statement)]


def test_words_are_kept_for_who_asks_and_gone_from_everywhere_with_their_session(
    database: RecordDatabase, database_url: str, valkey_port: int, tmp_path: Path
) -> None:
    _ask_for_transcripts(tmp_path)

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, transcript_database=database_url) as made, made.client() as client:
            session_id, other = await _talk(made), await _talk(made, "globex")
            await eventually(lambda: _rows(database) == [("acme", session_id, SAID, ANSWERED)])
            with database.engine.connect() as connection:
                lapses = connection.execute(text("select delete_after, at from transcripts").columns(**_MOMENTS)).one()
                assert lapses[0] - lapses[1] == timedelta(days=30)
            waiting = await made.parts.redis.xrange(redis_keys.OUTBOX)
            assert len([fields for _, fields in waiting if b"key.create" not in fields[VALUE]]) == 8
            assert not [fields for _, fields in waiting if b"xyzzy" in fields[VALUE] or b"three" in fields[VALUE]]
            assert "xyzzy" in await all_of_redis(made.parts.redis), "the conversation itself, and the answer for the Idempotency-Key"

            assert (await client.delete(f"/v1/sessions/{other}")).status_code == 404, "another tenant's"
            assert (await client.delete(f"/v1/sessions/{session_id}")).status_code == 204
            assert _rows(database) == []
            async with made.client("globex") as second:
                assert (await second.delete(f"/v1/sessions/{other}")).status_code == 204
            for kept in (await all_of_redis(made.parts.redis), all_of_sql(database_url)):
                assert "xyzzy" not in kept and "three" not in kept
            again = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": SAID, "stream": False}, headers=IDEMPOTENT)
            assert again.status_code == 404, "nor is the answer repeated"
            assert (await client.delete(f"/v1/sessions/{session_id}")).status_code == 404

    run(within)


_MOMENTS = {name: transcripts_table.c[name].type for name in ("delete_after", "at")}


def test_words_of_a_session_that_lapsed_are_erased_too(
    database: RecordDatabase, database_url: str, valkey_port: int, tmp_path: Path
) -> None:
    _ask_for_transcripts(tmp_path)

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, transcript_database=database_url) as made, made.client() as client:
            session_id = await _talk(made)
            await eventually(lambda: _rows(database))
            await made.parts.redis.delete(redis_keys.session("acme", session_id), redis_keys.conversation("acme", session_id))
            assert (await client.get(f"/v1/sessions/{session_id}")).status_code == 404
            async with made.client("globex") as other:
                assert (await other.delete(f"/v1/sessions/{session_id}")).status_code == 404
            assert len(_rows(database)) == 1
            assert (await client.delete(f"/v1/sessions/{session_id}")).status_code == 204
            assert _rows(database) == []

    run(within)


def test_words_wait_for_a_database_that_is_down_and_are_erased_while_they_wait(
    database: RecordDatabase, database_url: str, valkey_port: int, tmp_path: Path
) -> None:
    _ask_for_transcripts(tmp_path)

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, transcript_database=database_url) as made, made.client() as client:
            with database.engine.begin() as connection:
                connection.execute(text("alter table transcripts rename to away"))
            first, second = await _talk(made), ""
            second = (await client.post("/v1/sessions", json={})).json()["id"]
            await client.post(f"/v1/sessions/{second}/turns", json={"text": "Keep this", "stream": False})
            await asyncio.sleep(1.0)  # they were taken, and could not be written
            refused = await client.delete(f"/v1/sessions/{first}")
            assert (refused.status_code, refused.json()["code"]) == (503, "state_unavailable")
            assert "xyzzy" not in await all_of_redis(made.parts.redis)
            with database.engine.begin() as connection:
                connection.execute(text("alter table away rename to transcripts"))
            await eventually(lambda: [row[2] for row in _rows(database)] == ["Keep this"])
            await eventually(lambda: _drained(made))
            assert (await client.delete(f"/v1/sessions/{first}")).status_code == 404, "nothing is left of it"

    run(within)


async def _drained(made: GatewayStand) -> bool:
    return await made.parts.redis.xlen(redis_keys.TRANSCRIPTS) == 0


def test_words_that_come_after_the_erasure_do_not_stay(database: RecordDatabase, database_url: str) -> None:
    table, now = TranscriptTable(database_url), datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None).isoformat()
    rows = [
        {
            "response_id": f"r{i}",
            "tenant": "acme",
            "session_id": f"s{i}",
            "end_user_id": "",
            "user_text": "hm",
            "avatar_text": "",
            "at": now,
            "delete_after": now,
        }
        for i in range(2)
    ]
    messages = [("", row["session_id"].encode(), json.dumps(row).encode()) for row in rows]
    table.deliver(messages)
    table.deliver(messages)  # at least once
    assert [row[1] for row in _rows(database)] == ["s0", "s1"]
    assert (table.erase("acme", "s1"), table.erase("acme", "s1"), table.erase("globex", "s0")) == (1, 0, 0)
    table.deliver(messages)
    assert [row[1] for row in _rows(database)] == ["s0"]
    table.close()


def test_an_open_socket_is_closed_and_its_last_words_are_not_kept(
    database: RecordDatabase, database_url: str, valkey_port: int, tmp_path: Path
) -> None:
    _ask_for_transcripts(tmp_path)

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, transcript_database=database_url) as made, made.client() as client:
            headers = {"authorization": f"Bearer {made.keys['acme']}"}
            async with websockets.connect(made.socket_url, additional_headers=headers) as socket:
                talking = Client(socket)
                session_id = (await talking.until("session.created"))["session"]["id"]
                await talking.ask(SAID)
                await talking.until("response.created")
                await eventually(lambda: made.parts.redis.exists(redis_keys.session("acme", session_id)))
                assert (await client.delete(f"/v1/sessions/{session_id}")).status_code == 204
                with pytest.raises(websockets.ConnectionClosed, match="deleted"):
                    while True:
                        await asyncio.wait_for(socket.recv(), 60)
            await eventually(lambda: not made.app.state.realtime.sessions)
            await eventually(lambda: _drained(made))
            for kept in (await all_of_redis(made.parts.redis), all_of_sql(database_url)):
                assert "xyzzy" not in kept and "three" not in kept

    run(within)


def test_without_a_database_nothing_is_kept_and_that_is_said(valkey_port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _ask_for_transcripts(tmp_path)

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port) as made:
            await _talk(made)
            await eventually(lambda: "A2_GATEWAY_TRANSCRIPT_DATABASE is empty" in caplog.text)
            assert await made.parts.redis.exists(redis_keys.TRANSCRIPTS) == 0

    run(within)


def test_what_is_over_is_deleted(database: RecordDatabase) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    with database.engine.begin() as connection:
        for name, days in (("old", -1), ("new", 1)):
            row = {
                "response_id": name,
                "tenant": "acme",
                "session_id": name,
                "end_user_id": "",
                "at": now,
                "user_text": "x",
                "avatar_text": "y",
                "delete_after": now + timedelta(days=days),
            }
            connection.execute(transcripts_table.insert().values(row))
            connection.execute(erased_table.insert().values(tenant="acme", session_id=name, delete_after=row["delete_after"]))
    assert (database.delete_lapsed(), database.delete_lapsed()) == (1, 0)
    assert [row[1] for row in _rows(database)] == ["new"]
    with database.engine.connect() as connection:
        assert connection.execute(text("select session_id from erased")).scalars().all() == ["new"]


def test_both_sides_name_the_same_columns() -> None:
    assert set(transcripts.TRANSCRIPTS.c.keys()) == set(transcripts_table.c.keys())
    assert set(transcripts.ERASED.c.keys()) == set(erased_table.c.keys())
