"""The file of tenants and hashed API keys: read by the gateway, written by `a2 keys`. Keys themselves are stored nowhere.

[tenants.acme]
max_sessions = 20

[[keys]]
id = "k3f..."
tenant = "acme"
sha256 = "..."
created = 2026-01-31T12:00:00Z
"""

import hashlib
import hmac
import logging
import os
import re
import secrets
import tempfile
import time
import tomllib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
KEY = re.compile(r"a2_([0-9a-z]{8,32})_([0-9A-Za-z]{32,64})")
RELOAD_S = 1.0
log = logging.getLogger(__name__)


class Limits(BaseModel):
    """Limits of a tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_sessions: int = Field(default=20, ge=0, description="sockets and REST turns at the same time")
    requests_per_minute: int = Field(default=600, ge=1, description="REST requests, opened sockets and responses on sockets")
    burst_requests: int = Field(default=60, ge=1, description="requests at once before the rate counts")
    stored_sessions: int = Field(default=10_000, ge=1, description="sessions that are kept at the same time, open or not")
    stored_bytes: int = Field(default=256 << 20, ge=1 << 10, description="of their settings, conversations, answers to be repeated")
    transcripts_days: int = Field(default=0, ge=0, le=3650, description="for how many days what is said is kept in SQL; 0: not at all")
    weight: float = Field(default=1.0, gt=0, le=1000, description="share of the model's slots, against other tenants that want some")


class ApiKey(BaseModel):
    """One key of a tenant; `sha256` is of the whole key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    tenant: str = Field(pattern=rf"^{TENANT.pattern}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created: datetime
    revoked: datetime | None = None


class Tenants(BaseModel):
    """The whole file. A tenant that is not listed has the default limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenants: dict[str, Limits] = {}
    keys: tuple[ApiKey, ...] = ()

    def limits(self, tenant: str) -> Limits:
        return self.tenants.get(tenant) or Limits()

    def owner(self, key: str) -> ApiKey | None:
        """The living key that was presented, or None. Takes as long for a wrong secret as for a right one."""
        match = KEY.fullmatch(key)
        if match is None:
            return None
        found = next((entry for entry in self.keys if entry.id == match[1]), None)
        same = hmac.compare_digest(hash_key(key), found.sha256 if found else "0" * 64)
        return found if same and found and found.revoked is None else None


def hash_key(key: str) -> str:
    """A key has 190 random bits, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_tenants(path: Path) -> Tenants:
    """The file's content; no file is an empty one. Raises ValueError that names what is wrong."""
    return _tenants_of(path, _bytes_of(path) or b"")


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _tenants_of(path: Path, content: bytes) -> Tenants:
    try:
        return Tenants.model_validate(tomllib.loads(content.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def create_key(path: Path, tenant: str) -> tuple[str, ApiKey]:
    """Creates a key of a tenant, which is made if new. The key is returned here and never again. Raises ValueError for a bad name."""
    if not TENANT.fullmatch(tenant):
        raise ValueError(f"{tenant!r}: a tenant is named with a-z, 0-9 and hyphens, at most 41 characters")
    key_id = secrets.token_hex(6)
    key = f"a2_{key_id}_{_letters(32)}"
    made = ApiKey(id=key_id, tenant=tenant, sha256=hash_key(key), created=_now())
    with _writing(path) as content:
        content["keys"] = [*content["keys"], made]
        content["tenants"].setdefault(tenant, Limits())
    return key, made


def revoke_key(path: Path, key_id: str) -> ApiKey:
    """Ends a key (again is no error). Raises ValueError for an unknown id."""
    with _writing(path) as content:
        found = next((key for key in content["keys"] if key.id == key_id), None)
        if found is None:
            raise ValueError(f"no key has the id {key_id!r}; `a2 keys list` shows them")
        ended = found if found.revoked else found.model_copy(update={"revoked": _now()})
        content["keys"] = [ended if key.id == key_id else key for key in content["keys"]]
    return ended


class TenantFile:
    """The file as the gateway sees it: read again when its content changed, so that a revoked key ends within a second or two.

    Looked at is the content, not the time of the file: a volume of Kubernetes swaps links, and times may be equal.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._checked_s, self._seen = path, time.monotonic(), _bytes_of(path)
        self._content = _tenants_of(path, self._seen or b"")

    @property
    def content(self) -> Tenants:
        if time.monotonic() - self._checked_s > RELOAD_S:
            self._checked_s = time.monotonic()
            try:
                self._look()
            except (OSError, ValueError) as error:  # it is being edited: no tenant is locked out meanwhile
                log.error("the tenants file is as it was before: %s", error)
        return self._content

    def _look(self) -> None:
        found = _bytes_of(self._path)
        if found == self._seen:
            return
        self._seen = found
        if found is None:
            raise FileNotFoundError(f"{self._path} is gone")
        self._content = _tenants_of(self._path, found)


@contextmanager
def _writing(path: Path) -> Generator[dict[str, Any]]:
    """The content to change in place; written back as a whole, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        content = read_tenants(path)
        change: dict[str, Any] = {"tenants": dict(content.tenants), "keys": list(content.keys)}
        yield change
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # readable by its owner only
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write("\n".join(_toml(change["tenants"], change["keys"])) + "\n")
            Path(aside).replace(path)
        except BaseException:  # the disk is full, or Ctrl-C
            Path(aside).unlink(missing_ok=True)
            raise


def _toml(tenants: dict[str, Limits], keys: Iterable[ApiKey]) -> Iterator[str]:
    yield "# Tenants and their hashed API keys: `a2 keys create|revoke|list`. Limits may be edited here."
    for name, limits in sorted(tenants.items()):
        yield f"\n[tenants.{name}]"
        yield from (f"{field} = {value}" for field, value in limits.model_dump().items())
    for key in keys:
        yield f'\n[[keys]]\nid = "{key.id}"\ntenant = "{key.tenant}"\nsha256 = "{key.sha256}"'
        yield f"created = {key.created.isoformat()}"
        if key.revoked:
            yield f"revoked = {key.revoked.isoformat()}"


def _letters(count: int) -> str:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return "".join(secrets.choice(alphabet) for _ in range(count))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
