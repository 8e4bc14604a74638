"""Apache Kafka between gateway and recorder: every listener, a restart, two recorders, and what stands in its log on disk."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from support.kept_words import all_of_redis, all_of_sql
from support.servers.gateway import ROOT, GatewayStand, eventually, free_port, gateway_standing, process, recorder_command, run
from support.servers.kafka import PASSWORD, USER, Broker

from a2serve.contracts.records import SessionRecord, UsageRecord
from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.state.kafka_producer import IdempotentProducer
from a2serve.gateway.state.outbox import Outbox

TOPICS_FILE = ROOT / "infra" / "kafka" / "topics.yaml"
SAID, ANSWERED = "My card number is 4929-1188-xyzzy", "one two three four five"
# kafka-python leaves the socket of a connection that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*(socket.socket|SSLSocket):pytest.PytestUnraisableExceptionWarning")


class Recorders:
    """Recorders of one group, each with a metrics page and a log of its own, on one database."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database, self.group = folder, database, f"test-{uuid.uuid4().hex}"
        self.running = ExitStack()
        self.logs: list[Path] = []

    def start(self, **access: str) -> subprocess.Popen[bytes]:
        port = free_port()
        self.logs.append(self.folder / f"recorder-{len(self.logs)}.log")
        own = {"database": self.database, "group": self.group, "metrics_port": str(port), "session_timeout_ms": "2000"}
        env = {f"A2_RECORDER_{name.upper()}": value for name, value in (own | access).items()}
        return self.running.enter_context(process(recorder_command(), port, self.logs[-1], env))

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        engine = create_engine(self.database)
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(text(statement))]
        engine.dispose()
        return found


@pytest.fixture
def recorders(tmp_path: Path, database_url: str) -> Iterator[Recorders]:
    made = Recorders(tmp_path, database_url)
    with made.running:
        yield made


@pytest.fixture(scope="module")
def topics(broker: Broker) -> Broker:
    """The broker with its topics, made as the chart's job makes them."""
    assert "topics made: a2.sessions" in _make_topics(broker), "the first time"
    assert "none, all were there" in _make_topics(broker)
    return broker


def _make_topics(broker: Broker) -> str:
    command = [sys.executable, "-m", "a2serve.recorder.topics", str(TOPICS_FILE), "--replication", "1"]
    done = subprocess.run(command, env=_env(kafka_servers=broker.address()), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr


def _env(**settings: Any) -> dict[str, str]:
    return {f"A2_RECORDER_{name.upper()}": str(value) for name, value in settings.items()}


async def _turn(made: GatewayStand, session_id: str, said: str = "Hi") -> None:
    """Again while the turn before is still being put away (409)."""
    async with made.client() as client:
        while True:
            response = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": said, "stream": False})
            if response.status_code != 409:
                break
            await asyncio.sleep(0.1)
        assert response.status_code == 200, response.text


async def _session(made: GatewayStand) -> str:
    async with made.client() as client:
        return (await client.post("/v1/sessions", json={})).json()["id"]


async def _sent(made: GatewayStand) -> bool:
    return await made.parts.outbox.waiting() == 0


def _count(recorders: Recorders, session_id: str) -> tuple[int, int]:
    """Rows of usage, and how many different responses they are of."""
    return recorders.rows(f"select count(*), count(distinct response_id) from usage where session_id = '{session_id}'")[0]


def test_turns_reach_sql_once_though_the_broker_is_killed(topics: Broker, recorders: Recorders, valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, kafka_servers=topics.address()) as made:
            await asyncio.to_thread(recorders.start, kafka_servers=topics.address())
            session_id = await _session(made)
            for _ in range(3):
                await _turn(made, session_id)
            await eventually(lambda: _count(recorders, session_id) == (3, 3))
            topics.kill()
            for _ in range(3):
                await _turn(made, session_id)
            assert not await _sent(made), "they wait in the outbox"
            await asyncio.to_thread(topics.start)
            await _turn(made, session_id)
            await eventually(lambda: _count(recorders, session_id) == (7, 7))
            await eventually(lambda: _sent(made))
        assert "Traceback" not in recorders.logs[0].read_text()

    run(within)


def test_two_recorders_share_the_work_and_one_takes_over(topics: Broker, recorders: Recorders, valkey_port: int, tmp_path: Path) -> None:
    tenant = f"t-{uuid.uuid4().hex[:8]}"

    def stored() -> list[tuple[Any, ...]]:
        return recorders.rows(f"select count(*), count(distinct record_id) from sessions where tenant = '{tenant}'")

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, kafka_servers=topics.address()) as made:
            first = await asyncio.to_thread(recorders.start, kafka_servers=topics.address())
            await asyncio.to_thread(recorders.start, kafka_servers=topics.address())
            outbox = Outbox(made.parts.redis)
            records = [SessionRecord(tenant=tenant, session_id=f"s{i}", event="created") for i in range(900)]
            await outbox.write(*records[:300])
            await eventually(lambda: stored() == [(300, 300)])
            await outbox.write(*records[300:600])
            first.kill()  # with partitions, and maybe a batch, in its hands
            await outbox.write(*records[600:], *records[:100])
            await eventually(lambda: stored() == [(900, 900)])
            await asyncio.to_thread(recorders.start, kafka_servers=topics.address())  # and a rebalance with nobody dying
            await outbox.write(*(SessionRecord(tenant=tenant, session_id=f"n{i}", event="created") for i in range(300)))
            await eventually(lambda: stored() == [(1200, 1200)])
        assert not [log for log in recorders.logs if "Traceback" in log.read_text()]

    run(within)


def listeners(broker: Broker) -> dict[str, dict[str, Any]]:
    """Settings for each listener."""
    client, ca = broker.authority.identity("client"), broker.authority.certificate
    file = broker.folder / "password"
    file.write_text(f"{PASSWORD}\n")
    login = {"kafka_username": USER, "kafka_password": PASSWORD}
    tls: dict[str, Any] = {"kafka_tls": True, "kafka_ca_file": ca}
    return {
        "scram-512": login | {"kafka_servers": broker.address("sasl"), "kafka_mechanism": "SCRAM-SHA-512"},
        "plain": login | {"kafka_servers": broker.address("sasl"), "kafka_mechanism": "PLAIN"},
        "scram-256-tls": tls | login | {"kafka_servers": broker.address("sasl_tls"), "kafka_mechanism": "SCRAM-SHA-256"},
        "plain-tls-file": tls
        | {"kafka_servers": broker.address("sasl_tls"), "kafka_mechanism": "PLAIN", "kafka_username": USER, "kafka_password_file": file},
        "mutual-tls": tls
        | {"kafka_servers": broker.address("mutual_tls"), "kafka_cert_file": client.certificate, "kafka_key_file": client.key},
    }


@pytest.mark.parametrize("listener", ["scram-512", "plain", "scram-256-tls", "plain-tls-file", "mutual-tls"])
def test_records_pass_every_listener(listener: str, topics: Broker, tmp_path: Path) -> None:
    settings, record = listeners(topics)[listener], UsageRecord(tenant="acme", session_id=f"door-{listener}", response_id=uuid.uuid4().hex)
    producer = IdempotentProducer(GatewaySettings(**settings))
    producer.deliver([("a2.usage", b"acme", record.model_dump_json().encode())])
    producer.close()
    recorders = Recorders(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}")
    with recorders.running:
        recorders.start(**{name: str(value) for name, value in settings.items()})
        run(lambda: eventually(lambda: _count(recorders, record.session_id) == (1, 1)))


def wrong(broker: Broker) -> dict[str, tuple[dict[str, Any], str]]:
    """Settings that do not fit, and the words of the setting to look at."""
    own, ca = listeners(broker), broker.authority.certificate
    return {
        "no-sasl": ({"kafka_servers": broker.address("sasl")}, "asks who we are .*SCRAM-SHA-512.*: set kafka_mechanism, kafka_username"),
        "no-sasl-tls": (
            {"kafka_servers": broker.address("sasl_tls"), "kafka_tls": True, "kafka_ca_file": ca},
            "asks who we are .*kafka_mechanism",
        ),
        "no-tls": ({"kafka_servers": broker.address("sasl_tls")}, r"it may want TLS \(kafka_tls\)"),
        "no-ca": (own["scram-256-tls"] | {"kafka_ca_file": None}, r"not trusted \(kafka_ca_file\)"),
        "no-certificate": ({"kafka_servers": broker.address("mutual_tls"), "kafka_tls": True, "kafka_ca_file": ca}, "kafka_cert_file"),
        "wrong-password": (own["scram-512"] | {"kafka_password": "guess"}, "kafka_username or kafka_password is wrong"),
        "tls-at-a-plain-door": (
            {"kafka_servers": broker.address("plain"), "kafka_tls": True, "kafka_ca_file": ca},
            r"does not speak TLS with us \(kafka_tls\)",
        ),
        "sasl-at-a-plain-door": (own["plain"] | {"kafka_servers": broker.address("plain")}, "leave kafka_mechanism empty"),
    }


CASES = ["no-sasl", "no-sasl-tls", "no-tls", "no-ca", "no-certificate", "wrong-password", "tls-at-a-plain-door", "sasl-at-a-plain-door"]


@pytest.mark.parametrize("case", CASES)
def test_a_listener_that_stays_shut_names_the_setting(case: str, topics: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2serve.contracts.kafka_access.BOOTSTRAP_MS", 1500)
    settings, printed = wrong(topics)[case]
    with pytest.raises(ConnectionError, match=printed):
        IdempotentProducer(GatewaySettings(**settings))


def test_recorder_and_topics_say_it_too(topics: Broker, tmp_path: Path) -> None:
    env = _env(kafka_servers=topics.address("sasl"), database=f"sqlite:///{tmp_path / 'r.sqlite'}", metrics_port="0")
    done = subprocess.run(
        [sys.executable, "-m", "a2serve.recorder.topics", str(TOPICS_FILE)], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1 and "set kafka_mechanism" in done.stderr and "Traceback" not in done.stderr
    recorders = Recorders(tmp_path, f"sqlite:///{tmp_path / 'r.sqlite'}")
    with recorders.running:
        recorders.start(kafka_servers=topics.address("sasl"))
        run(lambda: eventually(lambda: "set kafka_mechanism" in recorders.logs[0].read_text()))


def test_no_word_is_in_the_log_on_disk_and_none_is_left_anywhere(
    topics: Broker, recorders: Recorders, valkey_port: int, tmp_path: Path
) -> None:
    """The real bytes: of the broker's log, of Redis, of every table."""
    (tmp_path / "tenants.toml").write_text("[tenants.acme]\ntranscripts_days = 30\n")

    async def within() -> None:
        await asyncio.to_thread(recorders.start, kafka_servers=topics.address())
        settings = {"kafka_servers": topics.address(), "transcript_database": recorders.database}
        async with gateway_standing(tmp_path, valkey_port, **settings) as made, made.client() as client:
            session_id = await _session(made)
            await _turn(made, session_id, SAID)
            await eventually(lambda: _count(recorders, session_id) == (1, 1))
            await eventually(lambda: "xyzzy" in all_of_sql(recorders.database), 60)
            on_disk = topics.bytes_of_topics()
            assert session_id.encode() in on_disk, "or this looks in the wrong place"
            assert (await client.delete(f"/v1/sessions/{session_id}")).status_code == 204
            events = f"select event from sessions where session_id = '{session_id}' order by event"
            await eventually(lambda: recorders.rows(events) == [("created",), ("deleted",)])
            assert "xyzzy" not in (in_redis := await all_of_redis(made.parts.redis)) and ANSWERED not in in_redis
        in_sql, on_disk = all_of_sql(recorders.database), topics.bytes_of_topics()
        assert "xyzzy" not in in_sql and ANSWERED not in in_sql and b"xyzzy" not in on_disk and ANSWERED.encode() not in on_disk
        assert session_id in in_sql and _count(recorders, session_id) == (1, 1), "figures stay"

    run(within)
