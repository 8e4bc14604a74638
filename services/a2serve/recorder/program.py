"""The command line of the recorder: `python -m a2serve.recorder`. Settings come from the environment."""

import argparse
import json
import logging
import signal
import sys
import threading

from prometheus_client import CollectorRegistry, start_http_server
from sqlalchemy.exc import SQLAlchemyError

from a2serve.contracts.starting import check_address
from a2serve.recorder.consumer import Recorder, RecorderMetrics
from a2serve.recorder.database import RecordDatabase
from a2serve.recorder.retention import Retention
from a2serve.recorder.settings import RecorderSettings, settings_or_exit
from a2serve.telemetry import names
from a2serve.telemetry.setup import start_logging

log = logging.getLogger(__name__)


def main() -> None:
    """Migrate, then record until SIGTERM or SIGINT. Prints one JSON line on stdout: {"ready": true, "metrics_port": …}."""
    parser = argparse.ArgumentParser(
        "python -m a2serve.recorder", description=__doc__, epilog=_settings_help(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    settings = settings_or_exit()
    start_logging(names.SERVICE_RECORDER, settings.log_level)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        if settings.metrics_port >= 0:
            check_address(settings.host, settings.metrics_port, "A2_RECORDER_", "METRICS_PORT")
        _serve(settings)
    except SQLAlchemyError as error:
        sys.exit(f"the recorder cannot start: A2_RECORDER_DATABASE: {str(error).splitlines()[0]}")
    except OSError as error:
        sys.exit(f"the recorder cannot start: {error}")


def _serve(settings: RecorderSettings) -> None:
    database, registry = RecordDatabase(settings.database), CollectorRegistry()
    database.migrate()
    recorder, retention = Recorder(settings, database, RecorderMetrics(registry)), Retention(database, registry)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: recorder.stop())
    port = _show_metrics(settings, registry)
    print(json.dumps({"ready": True, "metrics_port": port}), flush=True)
    worker = threading.Thread(target=recorder.run, name="recorder")  # so that signals find the main thread awake
    deleting = threading.Thread(target=retention.run, name="retention")
    worker.start()
    deleting.start()
    worker.join()
    retention.stop()
    deleting.join()
    database.close()


def _show_metrics(settings: RecorderSettings, registry: CollectorRegistry) -> int:
    if settings.metrics_port < 0:
        return -1
    server, _ = start_http_server(settings.metrics_port, settings.host, registry)
    return server.server_port


def _settings_help() -> str:
    fields = RecorderSettings.model_fields.items()
    lines = [f"  A2_RECORDER_{name.upper():20} {field.description} ({field.default})" for name, field in fields]
    return "settings (environment):\n" + "\n".join(lines)
