"""The recorder's parts in this process, before a Kafka-wire broker and SQLite: reading, going on, copies, an absent broker, retention."""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from support.servers.gateway import free_port, process, tansu_command

from a2serve.contracts.records import AuditRecord, UsageRecord, topic_of, write_record
from a2serve.recorder.consumer import Recorder, RecorderMetrics
from a2serve.recorder.database import RecordDatabase
from a2serve.recorder.migrate import main as migrate
from a2serve.recorder.program import main as record
from a2serve.recorder.retention import Retention
from a2serve.recorder.settings import RecorderSettings
from a2serve.recorder.tables import transcripts, utc_now
from a2serve.telemetry import names

pytestmark = pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning")
WAIT_S = 60.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    with process(tansu_command(port), port, tmp_path_factory.mktemp("tansu") / "log"):
        yield port


@pytest.fixture
def database(tmp_path: Path) -> Iterator[RecordDatabase]:
    made = RecordDatabase(f"sqlite:///{tmp_path / 'recorder.sqlite'}")
    made.migrate()
    yield made
    made.close()


def settings(port: int, group: str = "") -> RecorderSettings:
    return RecorderSettings(kafka_servers=f"127.0.0.1:{port}", group=group or uuid.uuid4().hex, session_timeout_ms=1000)


@contextmanager
def running(thing: Recorder | Retention) -> Iterator[None]:
    thread = threading.Thread(target=thing.run)
    thread.start()
    try:
        yield
    finally:
        thing.stop()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.05)):
        if true():
            return
        pause.wait(0.05)
    raise AssertionError("it did not become true in time")


def publish(port: int, *values: tuple[str, bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=f"127.0.0.1:{port}")
    for topic, value in values:
        producer.send(topic, value).get(WAIT_S)
    producer.close()


def test_what_is_published_is_stored_once_by_any_number_of_groups(broker: int, database: RecordDatabase) -> None:
    bill = UsageRecord(tenant="acme", session_id="s", response_id=uuid.uuid4().hex, input_tokens=3)
    publish(broker, (topic_of(bill), write_record(bill)), (topic_of(bill), write_record(bill)), ("a2.usage", b"nonsense"))
    counts: list[dict[str, float]] = []
    for _ in range(2):  # the second group begins at the beginning and recognises all of it
        registry = CollectorRegistry()
        recorder = Recorder(settings(broker), database, RecorderMetrics(registry))

        def count(outcome: str, registry: CollectorRegistry = registry) -> float:
            labels = {names.LABEL_TOPIC: "a2.usage", names.LABEL_OUTCOME: outcome}
            return registry.get_sample_value(f"{names.METRIC_RECORDER_RECORDS}_total", labels) or 0.0

        with running(recorder):
            until(lambda count=count: sum(map(count, ("stored", "repeated", "unreadable"))) >= 3)
            assert recorder.ready.is_set()
            assert registry.get_sample_value(names.METRIC_RECORDER_LAG, {names.LABEL_TOPIC: "a2.usage"}) == 0
        counts.append({outcome: count(outcome) for outcome in ("stored", "repeated")})
    assert counts[0]["stored"] == 1 and counts[1] == {"stored": 0, "repeated": counts[1]["repeated"]}
    with database.engine.connect() as connection:
        assert connection.execute(text("select input_tokens from usage")).all() == [(3,)]


def test_a_group_goes_on_where_sql_says(broker: int, database: RecordDatabase) -> None:
    group, seen = uuid.uuid4().hex, []
    for number in range(2):
        said = AuditRecord(tenant="acme", actor="k", action=f"a.{number}", detail={})
        publish(broker, (topic_of(said), write_record(said)))
        registry = CollectorRegistry()
        with running(Recorder(settings(broker, group), database, RecorderMetrics(registry))):
            until(lambda said=said: _has(database, said.record_id))
        labels = {names.LABEL_TOPIC: "a2.audit", names.LABEL_OUTCOME: "repeated"}
        seen.append(registry.get_sample_value(f"{names.METRIC_RECORDER_RECORDS}_total", labels))
    assert seen == [None, None], "nothing was read twice"


def _has(database: RecordDatabase, record_id: object) -> bool:
    with database.engine.connect() as connection:
        return bool(connection.execute(text("select count(*) from audit where record_id = :id"), {"id": str(record_id)}).scalar())


def test_an_absent_broker_is_named_by_its_setting_and_waited_for(database: RecordDatabase, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    recorder = Recorder(settings(port), database, RecorderMetrics(CollectorRegistry()))
    with caplog.at_level(logging.WARNING, "a2serve.recorder.consumer"), running(recorder):
        until(lambda: "reading stopped" in caplog.text)
        assert not recorder.ready.is_set()
    assert "A2_RECORDER_KAFKA_SERVERS" in caplog.text or f"127.0.0.1:{port}" in caplog.text


def test_transcripts_whose_days_are_over_are_deleted_and_counted(database: RecordDatabase) -> None:
    now, registry = utc_now(), CollectorRegistry()
    row = {"tenant": "acme", "session_id": "s", "end_user_id": "", "at": now, "user_text": "hi", "avatar_text": "hello"}
    kept = {"response_id": "kept", "delete_after": now + timedelta(days=1)}
    with database.engine.begin() as connection:
        connection.execute(transcripts.insert(), [row | kept, row | {"response_id": "over", "delete_after": now - timedelta(days=1)}])
    with running(Retention(database, registry)):
        until(lambda: registry.get_sample_value(f"{names.METRIC_RECORDER_LAPSED}_total") == 1.0)
    with database.engine.connect() as connection:
        assert connection.execute(text("select response_id from transcripts")).scalars().all() == ["kept"]


def test_a_database_that_is_away_does_not_end_retention(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bare = RecordDatabase(f"sqlite:///{tmp_path / 'bare.sqlite'}")  # without tables
    with running(Retention(bare, CollectorRegistry())):
        until(lambda: "wait to be deleted" in caplog.text)
    bare.close()


@pytest.mark.parametrize(("program", "said"), [(migrate, "the tables cannot be made"), (record, "the recorder cannot start")])
def test_a_database_that_cannot_be_opened_is_one_line(
    program: Callable[[], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()  # where a folder would have to be
    monkeypatch.setattr("sys.argv", ["recorder"])
    monkeypatch.setenv("A2_RECORDER_DATABASE", f"sqlite:///{tmp_path}/file/x.sqlite")
    monkeypatch.setenv("A2_RECORDER_METRICS_PORT", "-1")
    monkeypatch.setattr(logging.getLogger(), "handlers", list(logging.getLogger().handlers))
    with pytest.raises(SystemExit) as ended:
        program()
    assert said in str(ended.value) and "\n" not in str(ended.value).strip()
