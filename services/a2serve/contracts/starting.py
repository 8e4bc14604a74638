"""Checks a service's settings and its place before anything heavy is imported; an error is one line that names the setting."""

import logging
import re
import socket
from typing import Annotated

from pydantic import AfterValidator, ValidationError
from pydantic_settings import SettingsError


def _log_level(name: str) -> str:
    if name not in logging.getLevelNamesMapping():
        raise ValueError("it is DEBUG, INFO, WARNING or ERROR")
    return name


LogLevel = Annotated[str, AfterValidator(_log_level)]


def settings_faults(error: ValidationError | SettingsError, prefix: str) -> str:
    """A line for each setting. (A fault of several settings together names them itself.)"""
    if isinstance(error, ValidationError):
        return "\n".join(_line(fault["loc"], str(fault["msg"]).removeprefix("Value error, "), prefix) for fault in error.errors())
    named = re.search(r'field "(\w+)"', str(error))
    return f"{_variable(named[1], prefix) if named else prefix}: it has to be JSON"


def check_address(host: str, port: int, prefix: str, port_name: str = "PORT") -> None:
    """Raises OSError that names the settings if nothing can listen there."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise OSError(f"{prefix}HOST, {prefix}{port_name}: cannot listen on {host}:{port}: {error.strerror or error}") from None


def _line(location: tuple[int | str, ...], message: str, prefix: str) -> str:
    return f"{_variable(str(location[0]), prefix)}: {message}" if location else f"{prefix}*: {message}"


def _variable(field: str, prefix: str) -> str:
    return field if field.startswith("A2_") else f"{prefix}{field.upper()}"
