"""Bounds to where a gateway may send a conversation: hosts of an allow-list, at addresses that were checked, with keys that are mounted.

The address that was checked is the one that is connected to, so a name that means something else a moment later (DNS rebinding) leads
nowhere. Redirects are not followed.
"""

import asyncio
import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import httpx

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.language_model.body import LanguageModelBody

RESOLVE_S = 3.0
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class Forbidden(httpx.TransportError):
    """The address is not one that may be asked. The message names no address: it may be of our own network."""


@dataclass(frozen=True)
class Egress:
    """hosts: names, or `*.example.com` for those below one. networks: private ones that may be reached, also without TLS. secrets: a
    folder with a file `<tenant>.<name>` for each key, or `_.<name>` for every tenant. variables: of the environment, for every tenant."""

    hosts: Sequence[str] = ()
    networks: Sequence[Network] = ()
    secrets: Path | None = None
    variables: Sequence[str] = field(default=())

    def check(self, tenant: str, model: LanguageModelBody) -> None:
        """Raises Problem for a host that is not on the list, and for a key that is not there."""
        url = httpx.URL(model.url)
        if not self._lists(url.host):
            raise Problem(Code.UNSUPPORTED, f"this deployment asks no endpoint at {url.host!r}", param="language_model.url")
        if url.scheme == "http" and not self.networks:
            raise Problem(Code.UNSUPPORTED, "this deployment asks endpoints by https alone", param="language_model.url")
        self.key(tenant, model)

    def key(self, tenant: str, model: LanguageModelBody) -> str:
        """The key, read anew each time; "" where none is named. Raises Problem that names the secret alone."""
        name = model.key_secret
        if name is None:
            return ""
        for file in (f"{tenant}.{name}", f"_.{name}"):
            if self.secrets and (self.secrets / file).is_file():
                return _printable((self.secrets / file).read_bytes(), name)
        if name in self.variables and name in os.environ:
            return _printable(os.environ[name].encode(), name)
        raise Problem(Code.UNSUPPORTED, f"this deployment has no secret {name!r}", param="language_model.key_secret")

    async def address(self, host: str, port: int, *, tls: bool) -> str:
        """An address of the host that may be asked. Raises Forbidden, or ConnectError where there is none."""
        if not self._lists(host):
            raise Forbidden("the host is not on the list")
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError):
            raise httpx.ConnectError("the host's name was not found") from None
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if not addresses or not all(self.allows(address, tls=tls) for address in addresses):
            raise Forbidden("the host's address may not be asked")
        return str(addresses[0])

    def allows(self, address: Address, *, tls: bool) -> bool:
        """Public addresses by TLS, and those of `networks`; never link-local ones, at which clouds give their credentials."""
        plain = getattr(address, "ipv4_mapped", None) or address
        if plain.is_link_local or plain.is_multicast or plain.is_unspecified:
            return False
        return (tls and plain.is_global) or any(plain in network for network in self.networks)

    def _lists(self, host: str) -> bool:
        name = host.lower().rstrip(".")
        return any(name == one or (one.startswith("*.") and name.endswith(one[1:])) for one in map(str.lower, self.hosts))


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connects to the address that `egress` has checked; certificates are checked against the host's name."""

    def __init__(self, egress: Egress) -> None:
        self._egress, self._inner = egress, httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, tls = request.url, request.url.scheme == "https"
        address = await self._egress.address(url.host, url.port or (443 if tls else 80), tls=tls)
        request.headers["host"] = url.netloc.decode("ascii")
        request.extensions = dict(request.extensions) | {"sni_hostname": url.host}
        request.url = url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _printable(key: bytes, name: str) -> str:
    text = key.decode("ascii", "replace").strip()
    if not re.fullmatch(r"[\x21-\x7e]{1,4096}", text):
        raise Problem(Code.UNSUPPORTED, f"the secret {name!r} holds no key", param="language_model.key_secret")
    return text
