"""Sends records from the session to SQL through real servers: Valkey, a Kafka-wire broker (Tansu) that stops and starts, the recorder."""

import asyncio
import base64
import gc
import signal
import sqlite3
import subprocess
import uuid
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from support.servers.gateway import GatewayStand, eventually, free_port, gateway_standing, process, recorder_command, run, tansu_command

from a2serve.contracts.records import AuditRecord, UsageRecord
from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.state import redis_client
from a2serve.gateway.state.kafka_producer import IdempotentProducer
from a2serve.gateway.state.outbox import Outbox
from a2serve.gateway.state.outbox_sender import OutboxSender

# kafka-python leaves the socket of a connection that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")


def rows(database: Path, statement: str) -> list[tuple]:
    """Read while the recorder writes."""
    if not database.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(statement).fetchall()
    except sqlite3.OperationalError:  # not migrated yet
        return []


class Servers:
    """A broker and a recorder that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.metrics = folder, free_port(), free_port()
        self.database = folder / "recorder.sqlite"
        self.broker, self.recorder = ExitStack(), ExitStack()
        self.group = f"test-{uuid.uuid4().hex}"

    def start_broker(self) -> None:
        self.broker.enter_context(process(tansu_command(self.port), self.port, self.folder / "tansu.log"))

    def start_recorder(self) -> subprocess.Popen[bytes]:
        own = {
            "KAFKA_SERVERS": f"127.0.0.1:{self.port}",
            "DATABASE": f"sqlite:///{self.database}",
            "GROUP": self.group,
            "METRICS_PORT": str(self.metrics),
            "SESSION_TIMEOUT_MS": "1000",
        }
        env = {f"A2_RECORDER_{name}": value for name, value in own.items()}
        return self.recorder.enter_context(process(recorder_command(), self.metrics, self.folder / "recorder.log", env))


@pytest.fixture
def servers(tmp_path: Path):
    made = Servers(tmp_path)
    with made.broker, made.recorder:
        yield made
    gc.collect()  # here, where the warning below is expected


def test_a_turn_reaches_sql_and_usage_though_the_broker_was_down(servers: Servers, valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        settings = {"kafka_servers": f"127.0.0.1:{servers.port}", "usage_database": f"sqlite:///{servers.database}"}
        async with gateway_standing(tmp_path, valkey_port, **settings) as made, made.client() as client:
            response = await client.get("/v1/usage")
            assert (response.status_code, response.json()["code"]) == (503, "usage_unavailable"), "no database yet"
            session_id = (await client.post("/v1/sessions", json={"end_user_id": "u7"})).json()["id"]
            await _turn(made, session_id)
            await eventually(lambda: _ready(made))  # the broker is not needed to talk
            assert await made.parts.outbox.waiting() == 6  # two keys; created, audit, turn, usage

            await asyncio.to_thread(servers.start_broker)
            await asyncio.to_thread(servers.start_recorder)
            await _recorded(servers, 1)
            await eventually(lambda: _empty(made))

            servers.broker.close()
            for said in ({"text": "Hi"}, {"text": "Hi"}, {"audio": {"format": "pcm16", "data": base64.b64encode(bytes(48_000)).decode()}}):
                await _turn(made, session_id, **said)
            assert await made.parts.outbox.waiting() == 6
            await asyncio.to_thread(servers.start_broker)  # Tansu keeps nothing: a new, empty log
            await _recorded(servers, 4)
            await eventually(lambda: _empty(made))

            body = (await client.get("/v1/usage", params={"group_by": "session"})).json()
            expected = {"responses": 4, "input_tokens": 120, "cached_tokens": 40, "output_text_tokens": 28, "input_audio_ms": 1000}
            expected |= {"output_audio_ms": 4000, "output_motion_frames": 0, "session_ms": 0}
            assert body["data"] == [{"group": session_id} | expected] and body["total"] == expected
            assert [row["group"] for row in (await client.get("/v1/usage?group_by=end_user")).json()["data"]] == ["u7"]
            assert (body["has_more"], body["last_id"]) == (False, session_id)
            behind = (await client.get("/v1/usage", params={"group_by": "session", "after": session_id, "limit": 1})).json()
            assert (behind["data"], behind["total"], behind["last_id"]) == ([], expected, None), "the total is of all groups"
            assert (await client.get("/v1/usage?session_id=sess_other")).json()["data"] == []
            assert (await client.get("/v1/usage?start=2020-01-01T00:00:00Z&end=2019-01-01T00:00:00Z")).status_code == 422
            async with made.client("globex") as other:
                assert (await other.get("/v1/usage")).json()["data"] == [], "another tenant's usage stays its own"
        assert rows(servers.database, "select tenant, user_text, avatar_text, status from turns limit 1") == [("acme", "", "", "completed")]
        assert rows(servers.database, "select event, end_user_id from sessions") == [("created", "u7")]
        assert rows(servers.database, "select action from audit order by action") == [("key.create",), ("key.create",), ("session.create",)]
        assert rows(servers.database, "select count(*) from unreadable") == [(0,)]

    run(within)


async def _turn(made: GatewayStand, session_id: str, **said: object) -> None:
    async with made.client() as client:
        response = await client.post(f"/v1/sessions/{session_id}/turns", json=(said or {"text": "Hi"}) | {"stream": False})
        assert response.status_code == 200, response.text


async def _ready(made: GatewayStand) -> bool:
    async with made.client() as client:
        return (await client.get("/readyz")).status_code == 200


async def _recorded(servers: Servers, count: int) -> None:
    def enough() -> bool:
        assert "Traceback" not in (servers.folder / "recorder.log").read_text()
        return rows(servers.database, "select count(*) from usage") == [(count,)]

    await eventually(enough)


async def _empty(made: GatewayStand) -> bool:
    return await made.parts.outbox.waiting() == 0


def test_a_killed_recorder_goes_on_and_doubles_nothing(servers: Servers, valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, kafka_servers=f"127.0.0.1:{servers.port}") as made:
            servers.start_broker()
            recorder = await asyncio.to_thread(servers.start_recorder)
            outbox = Outbox(made.parts.redis)
            records = [UsageRecord(tenant="acme", session_id=f"s{i % 7}", response_id=f"r{i}", input_tokens=1) for i in range(300)]
            await outbox.write(*records[:150])
            await eventually(lambda: rows(servers.database, "select count(*) from usage") != [(0,)])
            recorder.send_signal(signal.SIGKILL)
            recorder.wait(10)
            await outbox.write(*records)  # half of them for the second time: at least once
            await outbox.write(AuditRecord(tenant="acme", actor="k", action="test"))
            servers.recorder.close()
            recorder = await asyncio.to_thread(servers.start_recorder)
            await _recorded(servers, 300)
            await eventually(lambda: rows(servers.database, "select count(*) from audit where action = 'test'") == [(1,)])
            assert rows(servers.database, "select sum(input_tokens), count(distinct response_id) from usage") == [(300, 300)]
            recorder.send_signal(signal.SIGTERM)
            assert recorder.wait(30) == 0

    run(within)


def test_a_producer_that_still_holds_messages_closes_and_ends_its_thread(servers: Servers) -> None:
    servers.start_broker()
    producer = IdempotentProducer(GatewaySettings(kafka_servers=f"127.0.0.1:{servers.port}"))
    producer.deliver([("a2.usage", b"acme", b"{}")])
    sender = producer._producer._sender
    servers.broker.close()
    producer._producer.send("a2.usage", key=b"acme", value=b"{}")
    producer.close()
    sender.join(30)
    assert not sender.is_alive()


def test_a_defect_in_delivering_does_not_end_the_sending(valkey_port: int, caplog: pytest.LogCaptureFixture) -> None:
    """A library that is broken itself raises: the records wait, the error is logged, and they go out afterwards."""
    delivered: list[bytes] = []

    class Broken:
        def deliver(self, messages: list[tuple[str, bytes, bytes]]) -> None:
            if len(made) < 3:
                raise RuntimeError("dictionary changed size during iteration")
            delivered.extend(value for _, _, value in messages)

        def close(self) -> None:
            raise AssertionError("cannot be closed either")

    def make() -> Broken:
        made.append(Broken())
        return made[-1]

    made: list[Broken] = []

    async def within() -> None:
        async with redis_client.connect(f"redis://127.0.0.1:{valkey_port}/0") as redis:
            sending = asyncio.create_task(OutboxSender(redis, make, "replica").run())
            await Outbox(redis).write(AuditRecord(tenant="acme", actor="k", action="test"))
            await eventually(lambda: delivered)
            await eventually(lambda: _all_sent(redis))
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    run(within)
    assert len(delivered) == 1 and "dictionary changed size" in caplog.text


async def _all_sent(redis: redis_client.BoundedRedis) -> bool:
    return await Outbox(redis).waiting() == 0
