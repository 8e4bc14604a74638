"""The command line of the inference service: `python -m a2serve.inference`. Settings come from the environment.

Errors in them are reported before anything heavy is imported.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from pydantic import ValidationError
from pydantic_settings import SettingsError

from a2serve.contracts.starting import settings_faults
from a2serve.inference.settings import InferenceSettings
from a2serve.telemetry import names
from a2serve.telemetry.logs import start_logging
from a2serve.telemetry.pauses import spare_what_is_loaded

if TYPE_CHECKING:
    from a2serve.inference.host import Host

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
log = logging.getLogger(__name__)


def main() -> None:
    """Serve until SIGTERM or SIGINT. Prints one JSON line on stdout when ready: {"ready": true, "port": …, "metrics_port": …}."""
    parser = argparse.ArgumentParser(
        "python -m a2serve.inference", description=__doc__, epilog=_settings_help(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    try:
        settings = InferenceSettings()
    except (ValidationError, SettingsError) as error:
        sys.exit(settings_faults(error, "A2_INFERENCE_"))
    start_logging(names.SERVICE_INFERENCE, settings.log_level)
    try:
        _run(settings)
    except (OSError, RuntimeError, ValueError) as error:
        _end(f"inference cannot start: {error}")


def _end(message: str) -> NoReturn:
    """Exit with 1 at once: beside a thread that still loads a library the interpreter would not end but abort."""
    print(message, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1)


def _run(settings: InferenceSettings) -> None:
    from a2serve.inference.host import SWITCH_INTERVAL_S, Host

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    asyncio.run(_serve(lambda: Host(settings)))


async def _serve(make_host: Callable[[], "Host"]) -> None:
    asked_to_end = asyncio.Event()
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, asked_to_end.set)
    host = make_host()
    log.info("loading the model")
    start = asyncio.ensure_future(host.start())
    await asyncio.wait([start, asyncio.ensure_future(asked_to_end.wait())], return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        os._exit(0)  # nothing to lose yet, and a thread that loads a library cannot be asked to stop
    await start
    spare_what_is_loaded()
    print(json.dumps({"ready": True, "port": host.port, "metrics_port": host.metrics_port}), flush=True)
    await asked_to_end.wait()
    await host.drain()


def _settings_help() -> str:
    fields = InferenceSettings.model_fields.items()
    lines = [f"  A2_INFERENCE_{name.upper():16} {field.description} ({field.default})" for name, field in fields]
    return "settings (environment):\n" + "\n".join(lines)
