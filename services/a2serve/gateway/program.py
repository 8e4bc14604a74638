"""The command line of the gateway: `python -m a2serve.gateway`. Settings come from the environment.

Errors in them are reported before anything heavy is imported; `server` serves.
"""

import argparse
import logging
import sys

from pydantic import ValidationError
from pydantic_settings import SettingsError

from a2serve.contracts.starting import check_address, settings_faults
from a2serve.gateway.request_context import ContextFilter
from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.tenants import read_tenants
from a2serve.telemetry import names
from a2serve.telemetry.logs import start_logging

_FIELDS = GatewaySettings.model_fields.items()


def main() -> None:
    """Serve until SIGTERM or SIGINT. Prints one JSON line on stdout when it listens: {"ready": true, "port": …}."""
    parser = argparse.ArgumentParser(
        "python -m a2serve.gateway", description=__doc__, epilog=_settings_help(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    try:
        settings = GatewaySettings()
        _read_keys(settings)
        check_address(settings.host, settings.port, "A2_GATEWAY_")
    except (ValidationError, SettingsError) as error:
        sys.exit(settings_faults(error, "A2_GATEWAY_"))
    except (OSError, ValueError) as error:
        sys.exit(f"the gateway cannot start: {error}")
    start_logging(names.SERVICE_GATEWAY, settings.log_level)
    for handler in logging.getLogger().handlers:
        handler.addFilter(ContextFilter())
    _serve(settings)


def _read_keys(settings: GatewaySettings) -> None:
    try:
        read_tenants(settings.tenants_file)
    except (OSError, ValueError) as error:
        raise ValueError(f"A2_TENANTS_FILE: {error}") from None


def _serve(settings: GatewaySettings) -> None:
    from a2serve.gateway.app import create_app
    from a2serve.gateway.server import DrainingServer

    try:
        DrainingServer(create_app(settings), settings).run()
    except (OSError, ValueError) as error:
        sys.exit(f"the gateway cannot start: {error}")


def _settings_help() -> str:
    fields = [(name.upper(), field.description, field.get_default(call_default_factory=True)) for name, field in _FIELDS]
    lines = [f"  A2_GATEWAY_{name:22} {description} ({default})" for name, description, default in fields]
    return "settings (environment):\n" + "\n".join(lines)
