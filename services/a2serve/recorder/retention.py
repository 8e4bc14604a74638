"""Deletes from SQL what may not be kept any longer: transcripts whose days are over."""

import logging
import threading

from prometheus_client import CollectorRegistry, Counter
from sqlalchemy.exc import SQLAlchemyError

from a2serve.recorder.database import RecordDatabase
from a2serve.telemetry import names

EVERY_S = 600.0
log = logging.getLogger(__name__)


class Retention:
    """`run` returns after `stop`. One thread; several recorders do each other no harm."""

    def __init__(self, database: RecordDatabase, registry: CollectorRegistry) -> None:
        self._database, self._stopped = database, threading.Event()
        self._lapsed = Counter(names.METRIC_RECORDER_LAPSED, "transcripts deleted since their days were over", registry=registry)

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """At once, then again and again."""
        while not self._stopped.is_set():
            try:
                self._lapsed.inc(self._database.delete_lapsed())
            except SQLAlchemyError as error:
                log.warning("transcripts whose days are over wait to be deleted: %s", error, extra={"retry_s": EVERY_S})
            self._stopped.wait(EVERY_S)
