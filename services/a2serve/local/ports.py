"""Free loopback ports. A port is only looked up here: whoever gets it binds it a moment later."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
TRIES = 50


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on. They are held together until all are found."""
    with ExitStack() as held:
        found: list[int] = []
        for _ in range(count):
            listener = held.enter_context(socket.socket())
            listener.bind((HOST, 0))
            found.append(listener.getsockname()[1])
        return found


def first_free_port(wanted: int) -> int:
    """`wanted`, else the next one that is free; 0 is any. Raises OSError if the next 50 are taken too."""
    if wanted == 0:
        return free_ports(1)[0]
    for port in range(wanted, min(wanted + TRIES, 65536)):
        if _is_free(port):
            return port
    raise OSError(f"ports {wanted} to {wanted + TRIES - 1} are all taken; choose another: make up PORT=…")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a port in TIME_WAIT is free
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True
