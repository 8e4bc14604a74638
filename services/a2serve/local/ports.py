"""Finds free loopback ports. A port is only looked up here: its user binds it a moment later."""

import random
import socket
from argparse import ArgumentTypeError
from contextlib import ExitStack, suppress

HOST = "127.0.0.1"
TRIES = 50
# Below those that systems give to outgoing connections: one of our own parts' would take a port between look-up and use.
QUIET_PORTS = range(20_000, 32_000)
BLOCKS = range(10_000, 20_000)  # for programs that take many ports by themselves


def free_ports(count: int) -> list[int]:
    """Finds different free ports. They are held together until all are found. Raises OSError if there are too few."""
    with ExitStack() as held:
        found: list[int] = []
        for port in random.sample(QUIET_PORTS, len(QUIET_PORTS)):
            if len(found) == count:
                return found
            listener = held.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind((HOST, port))
                found.append(port)
    raise OSError(f"fewer than {count} of the ports {QUIET_PORTS.start} to {QUIET_PORTS.stop - 1} are free")


def free_block(count: int) -> int:
    """Finds the first of `count` ports in a row, of which those that are taken first are free. Raises OSError."""
    starts = range(BLOCKS.start, BLOCKS.stop - count, count)
    for first in random.sample(starts, len(starts)):
        if all(_is_free(port) for port in (*range(first, first + 5), *range(first + count // 2, first + count // 2 + 5))):
            return first
    raise OSError(f"there are no {count} free ports in a row between {BLOCKS.start} and {BLOCKS.stop - 1}")


def first_free_port(wanted: int) -> int:
    """`wanted`, else the next one that is free; 0 is any. Raises OSError if the next 50 are taken too, or only root may have it."""
    if wanted == 0:
        return free_ports(1)[0]
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if _is_free(port):
            return port
    raise OSError(f"ports {wanted} to {min(wanted + TRIES, 65536) - 1} are all taken; choose another: make up PORT=…")


def port_number(text: str) -> int:
    """Parses a port for argparse. Raises ArgumentTypeError for anything else."""
    if not (text.isdecimal() and int(text) <= 65535):
        raise ArgumentTypeError(f"{text!r} is no port: make up PORT=8080 takes a number from 0 (any) to 65535")
    return int(text)


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port in TIME_WAIT is free
        try:
            listener.bind((HOST, port))
        except PermissionError:
            raise OSError(f"port {port} is kept for root: choose one above 1023, make up PORT=8080") from None
        except OSError:
            return False
        return True
