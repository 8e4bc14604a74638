"""Servers behind a target: one channel each, and which of them a key leads to. Keys are spread over all servers.

gRPC's own balancing either stays with one address or takes them in turn; a session has its KV cache and its ear at one of them. So the
address is chosen by rendezvous hashing (Thaler and Ravishankar 1998): equal keys lead to the same one, from every gateway, and when one
comes or goes only its own sessions move. A name is looked up again every few seconds; running streams of an address that left go on.
"""

import asyncio
import hashlib
import ipaddress
import logging
import socket
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import grpc

from a2serve.contracts.proto import LARGEST_MESSAGE_BYTES, avatar_pb2_grpc

LOOK_UP_S = 5.0  # as long as DNS in a cluster remembers
LOOK_UP_TIMEOUT_S = 2.0
LEAVE_S = 600.0  # the calls of an address that left may go on as long as any may
# A host that comes back is found within half a second; gRPC's own patience grows to two minutes. One that has gone without a word is
# noticed within 15 s.
_OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
]
_LOST = (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN)
log = logging.getLogger(__name__)


class Host:
    """One address, and the calls that it takes."""

    def __init__(self, address: str) -> None:
        self.address, self.channel = address, grpc.aio.insecure_channel(address, options=_OPTIONS)
        self.stub: Any = avatar_pb2_grpc.AvatarStub(self.channel)

    def score(self, key: str) -> bytes:
        return hashlib.blake2b(f"{self.address} {key}".encode(), digest_size=8).digest()

    def well(self) -> bool:
        """Not known to be out of reach; asking makes it try."""
        return self.channel.get_state(try_to_connect=True) not in _LOST


class Hosts:
    """`target`: host:port, whose name may have many addresses, or ipv4:host:port,host:port. Used on one event loop."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._hosts: dict[str, Host] = {}
        self._fixed = _addresses(target)
        self._looked_up_s, self._in_doubt = 0.0, True
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self) -> list[Host]:
        """Returns the known hosts. A name is looked up first if none is known, or one was in doubt; else in the background."""
        if self._fixed and not self._hosts:
            self._take(self._fixed)
        elif not self._fixed and (self._in_doubt or not self._hosts):
            await self._look_up()
        elif not self._fixed and time.monotonic() - self._looked_up_s > LOOK_UP_S:
            self._looked_up_s = time.monotonic()
            self._run(self._look_up())
        return list(self._hosts.values())

    def doubt(self) -> None:
        """One of them did not answer: the name may mean others by now."""
        self._in_doubt = True

    async def close(self) -> None:
        """Calls in progress are cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(host.channel.close() for host in self._hosts.values()))

    async def _look_up(self) -> None:
        """Looks the name up; keeps the known hosts if there is no answer."""
        name, _, port = self._target.removeprefix("dns:///").rpartition(":")
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(LOOK_UP_TIMEOUT_S):
                found = await asyncio.get_running_loop().getaddrinfo(name, int(port), type=socket.SOCK_STREAM)
            self._take([_join(str(entry[4][0]), int(entry[4][1])) for entry in found])
        self._looked_up_s, self._in_doubt = time.monotonic(), False

    def _take(self, addresses: Collection[str]) -> None:
        for address in dict.fromkeys(addresses):
            if address not in self._hosts:
                self._hosts[address] = Host(address)
        for address in [known for known in self._hosts if known not in addresses]:
            log.info("an address of %s has gone: %s", self._target, address)
            self._run(self._hosts.pop(address).channel.close(LEAVE_S))

    def _run(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def choose(hosts: Collection[Host], key: str) -> Host:
    """Chooses the host of a key: always the same one, as long as that is well."""
    return max(hosts, key=lambda host: (host.well(), host.score(key)))


def _addresses(target: str) -> list[str]:
    """Those that a target names by itself; none of a name."""
    for scheme in ("ipv4:", "ipv6:"):
        if target.startswith(scheme):
            return [address.strip() for address in target.removeprefix(scheme).split(",")]
    try:
        ipaddress.ip_address(target.rpartition(":")[0].strip("[]"))
    except ValueError:
        return []
    return [target]


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
