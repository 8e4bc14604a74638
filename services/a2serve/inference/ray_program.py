"""The command line of a whole Ray cluster on one machine: `python -m a2serve.inference.ray_program`. Settings come from the environment."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from a2serve.inference.ray_environment import ray_environment
from a2serve.inference.ray_settings import RaySettings
from a2serve.inference.settings import InferenceSettings
from a2serve.telemetry import names
from a2serve.telemetry.logs import start_logging


def main() -> None:
    """Serve until SIGTERM or SIGINT. Prints one JSON line on stdout when ready: {"ready": true, "port": …}."""
    parser = argparse.ArgumentParser(
        "python -m a2serve.inference.ray_program",
        description=__doc__,
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    try:
        settings, ray_settings = InferenceSettings(), RaySettings()
    except ValidationError as error:
        sys.exit("\n".join(f"A2_INFERENCE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))
    if not settings.port:
        sys.exit("A2_INFERENCE_PORT: Ray's ingress takes no port by itself, name one")
    start_logging(names.SERVICE_INFERENCE, settings.log_level)
    with tempfile.TemporaryDirectory(prefix="a2-") as short:
        folder = _own_folder(ray_settings.ray_folder, Path(short))
        os.environ.update(ray_environment(ray_settings, folder / "h"))
        _serve(settings, ray_settings.model_copy(update={"ray_folder": str(folder)}))


def _own_folder(wanted: str, short: Path) -> Path:
    """`wanted`, without what an earlier run left, by a short name: a socket's path may have 97 characters, and Ray and HAProxy make
    theirs deep below.
    """
    folder = short / "r"
    if wanted:
        Path(wanted).mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.symlink_to(Path(wanted).absolute())
        for left in (*folder.glob("session_2*"), folder / "h"):
            shutil.rmtree(left, ignore_errors=True)
    else:
        folder.mkdir()
    (folder / "h").mkdir()
    return folder


def _serve(settings: InferenceSettings, ray_settings: RaySettings) -> None:
    from a2serve.inference import ray_head  # Ray reads its settings when it is imported

    try:
        ray_head.start_ray(ray_settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        ray_head.start_serving(settings, ray_settings)
        print(json.dumps({"ready": True, "port": settings.port}), flush=True)
        signal.pause()
    finally:
        ray_head.stop(ray_settings.application)


def _leave(*_: object) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit()


def _settings_help() -> str:
    fields = InferenceSettings.model_fields | RaySettings.model_fields
    lines = [f"  A2_INFERENCE_{name.upper():20} {field.description} ({field.default})" for name, field in fields.items()]
    return "settings (environment):\n" + "\n".join(lines)


if __name__ == "__main__":
    main()
