"""The command line of the gateway: `python -m a2serve.gateway`. Settings come from the environment.

What is wrong with them is said before anything heavy is imported; what serves is `server`.
"""

import argparse
import logging
import sys

from pydantic import ValidationError

from a2serve.gateway.access.tenants import read_tenants
from a2serve.gateway.request_context import ContextFilter
from a2serve.gateway.settings import GatewaySettings
from a2serve.telemetry import names
from a2serve.telemetry.logs import start_logging

_FIELDS = GatewaySettings.model_fields.items()


def main() -> None:
    """Serve until SIGTERM or SIGINT. Prints one JSON line on stdout when it listens: {"ready": true, "port": …}."""
    parser = argparse.ArgumentParser("python -m a2serve.gateway", description=__doc__, epilog=_settings_help(),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.parse_args()
    try:
        settings = GatewaySettings()
        read_tenants(settings.tenants_file)
    except ValidationError as error:
        sys.exit("\n".join(f"{_variable(str(e['loc'][0]))}: {e['msg']}" for e in error.errors()))
    except (OSError, ValueError) as error:
        sys.exit(f"the gateway cannot start: {error}")
    start_logging(names.SERVICE_GATEWAY, settings.log_level)
    for handler in logging.getLogger().handlers:
        handler.addFilter(ContextFilter())
    _serve(settings)


def _serve(settings: GatewaySettings) -> None:
    from a2serve.gateway.app import create_app
    from a2serve.gateway.server import DrainingServer

    try:
        DrainingServer(create_app(settings), settings).run()
    except (OSError, ValueError) as error:
        sys.exit(f"the gateway cannot start: {error}")


def _variable(field: str) -> str:
    return field if field.startswith("A2_") else f"A2_GATEWAY_{field.upper()}"


def _settings_help() -> str:
    fields = [(name.upper(), field.description, field.get_default(call_default_factory=True)) for name, field in _FIELDS]
    lines = [f"  A2_GATEWAY_{name:22} {description} ({default})" for name, description, default in fields]
    return "settings (environment):\n" + "\n".join(lines)
