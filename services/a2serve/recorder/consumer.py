"""Reads the topics for ever: poll, store, commit. At least once by the offsets, exactly once in SQL by `record_id`.

SQL's offsets are the truth. Where the broker knows no commit of ours it is a new one (or forgot us), and everything it
has is read: what was stored before is recognized.
"""

import logging
import threading
from collections.abc import Iterable
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata, TopicPartition
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError

from a2serve.contracts.kafka_access import BACKOFF_S
from a2serve.contracts.kafka_diagnosis import explain
from a2serve.contracts.records import TOPICS
from a2serve.recorder.database import Message, RecordDatabase
from a2serve.recorder.settings import RecorderSettings
from a2serve.telemetry import names

POLL_MS = 500
BATCH = 500
log = logging.getLogger(__name__)


class RecorderMetrics:
    """Counters and gauges of the consumer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = (names.LABEL_TOPIC, names.LABEL_OUTCOME)
        self.records = Counter(names.METRIC_RECORDER_RECORDS, "messages taken", labels, registry=registry)
        self.lag = Gauge(names.METRIC_RECORDER_LAG, "messages behind the end of our partitions", (names.LABEL_TOPIC,), registry=registry)


class Recorder:
    """`run` returns after `stop`. One thread."""

    def __init__(self, settings: RecorderSettings, database: RecordDatabase, metrics: RecorderMetrics) -> None:
        self._settings, self._database, self._metrics = settings, database, metrics
        self._stopped = threading.Event()
        self.ready = threading.Event()  # has partitions to read

    def stop(self) -> None:
        """Asks the loop to end; may be called from any thread or a signal handler."""
        self._stopped.set()

    def run(self) -> None:
        """Consumes until `stop`. After any failure it goes on from the offsets in SQL, with a growing pause."""
        failures = 0
        while not self._stopped.is_set():
            try:
                self._consume()
            except (KafkaError, SQLAlchemyError, OSError) as error:
                pause_s = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
                failures = 0 if self.ready.is_set() else failures + 1
                self.ready.clear()
                log.warning("reading stopped: %s", error, extra={"retry_s": pause_s})
                self._stopped.wait(pause_s)

    def _consume(self) -> None:
        consumer, new = self._connect(), set[TopicPartition]()
        try:
            consumer.subscribe(list(TOPICS), listener=_Wait(consumer, new))
            while not self._stopped.is_set():
                self._take(consumer, consumer.poll(POLL_MS, max_records=BATCH))
                if new:
                    self._begin(consumer, new)
        finally:
            consumer.close(timeout_ms=1000)

    def _begin(self, consumer: KafkaConsumer, new: set[TopicPartition]) -> None:
        """Read new partitions from where SQL says."""
        for partition in sorted(new):
            known = self._database.next_offset(partition.topic, partition.partition)
            if known is None or consumer.committed(partition) is None:
                consumer.seek_to_beginning(partition)
            else:
                consumer.seek(partition, known)
            consumer.resume(partition)
            new.discard(partition)
        self.ready.set()

    def _connect(self) -> KafkaConsumer:
        """Raises OSError in words that name the setting, where the broker does not let us in."""
        try:
            return self._consumer(self._settings.kafka_options)
        except (KafkaTimeoutError, ValueError) as error:
            raise ConnectionError(f"the broker cannot be used: {explain(self._settings)} ({error})") from None

    def _consumer(self, options: dict[str, Any]) -> KafkaConsumer:
        return KafkaConsumer(
            **options,
            client_id="a2-recorder",
            group_id=self._settings.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=self._settings.session_timeout_ms,
            heartbeat_interval_ms=self._settings.session_timeout_ms // 6,
            metadata_max_age_ms=5_000,
            reconnect_backoff_max_ms=1_000,
        )

    def _take(self, consumer: KafkaConsumer, polled: dict[TopicPartition, list[Any]]) -> None:
        messages = [Message(m.topic, m.partition, m.offset, m.value or b"") for batch in polled.values() for m in batch]
        if not messages:
            return
        stored = self._database.store(messages)
        for (topic, outcome), count in stored.outcomes.items():
            self._metrics.records.labels(topic, outcome).inc(count)
            if outcome == "unreadable":
                log.error("messages that SQL cannot hold were set aside in `unreadable`", extra={"topic": topic, "count": count})
        ends = {partition: OffsetAndMetadata(batch[-1].offset + 1, "", -1) for partition, batch in polled.items()}
        consumer.commit(ends)
        self._measure_lag(consumer)

    def _measure_lag(self, consumer: KafkaConsumer) -> None:
        behind = dict.fromkeys(TOPICS, 0)
        for partition in consumer.assignment():
            end, here = consumer.highwater(partition), consumer.position(partition)
            behind[partition.topic] += max(end - here, 0) if end is not None and here is not None else 0
        for topic, count in behind.items():
            self._metrics.lag.labels(topic).set(count)


class _Wait(ConsumerRebalanceListener):
    """New partitions wait until it is known where to begin: a rebalance must not ask the broker."""

    def __init__(self, consumer: KafkaConsumer, new: set[TopicPartition]) -> None:
        self._consumer, self._new = consumer, new

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing is held back: every batch is stored before the next poll."""
        self._new.difference_update(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._consumer.pause(*assigned)
        self._new.update(assigned)
