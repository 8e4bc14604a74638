"""`python -m a2serve.local.traces --port N`: the receiver as a process, on loopback only."""

import argparse
import json

import uvicorn

from a2serve.local.traces.receiver import Receiver
from a2serve.telemetry.logs import start_logging
from a2serve.telemetry.names import SERVICE_TRACES


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser("python -m a2serve.local.traces", description=__doc__)
    parser.add_argument("--port", type=int, default=4318, help="HTTP port (default 4318, OTLP's own)")
    parser.add_argument("--servers", type=json.loads, default={}, help='metrics pages to show: {"name": "http://…/metrics"}')
    arguments = parser.parse_args()
    start_logging(SERVICE_TRACES, "WARNING")
    uvicorn.run(Receiver(servers=arguments.servers).app, host="127.0.0.1", port=arguments.port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
