"""Audit records that come with no change of state in Redis: what was refused, and keys that were made or ended in the tenants file.

Refusals can be a flood. The first of a kind (actor, action, reason) is recorded at once; its repeats within a minute are one more
record that counts them, and beyond `MOST_KINDS` kinds of a tenant a record does not say any more what was refused.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from redis.exceptions import RedisError

from a2serve.contracts.problems import Code
from a2serve.contracts.records import AuditRecord
from a2serve.gateway import request_context
from a2serve.gateway.state.outbox import Outbox
from a2serve.gateway.tenants import ApiKey, Tenants

REPORTED_EVERY_S = 60.0
FLUSH_S = 1.0
MOST_KINDS = 50
NOBODY = "-"  # the tenant of a caller without a known key; no tenant can be named so
REFUSALS = (Code.UNAUTHORIZED, Code.FORBIDDEN, Code.RATE_LIMITED, Code.CONCURRENCY, Code.STORAGE_FULL)


@dataclass(slots=True)
class _Reported:
    record: AuditRecord
    until_s: float
    repeats: int = 0


class AuditTrail:
    """One per gateway. `tenants`: the tenants file as it is now."""

    def __init__(self, outbox: Outbox, tenants: Callable[[], Tenants], clock: Callable[[], float] = time.monotonic) -> None:
        self._outbox, self._tenants, self._clock = outbox, tenants, clock
        self._reported: dict[tuple[str, ...], _Reported] = {}
        self._kinds: Counter[str] = Counter()  # of each tenant
        self._waiting: list[AuditRecord] = []
        self._keys: dict[str, ApiKey] = {}

    def refused(self, code: Code, action: str) -> None:
        """Notes that the request that is served, or its socket, was refused. `action`: the route, or `socket`."""
        if code not in REFUSALS:
            return
        context = request_context.current()
        tenant = context.tenant or NOBODY
        actor = context.key_id or ("client_secret" if context.tenant else "")
        kind = (tenant, code, actor, action, context.session_id)
        if kind not in self._reported and self._kinds[tenant] >= MOST_KINDS:
            kind = (tenant, code, "", "several", "")
        if reported := self._reported.get(kind):
            reported.repeats += 1
            return
        _, _, actor, action, target = kind
        record = AuditRecord(
            tenant=tenant,
            actor=actor,
            action=action[:64],
            target=target[:128],
            outcome="refused",
            request_id=context.request_id,
            detail={"code": code},
        )
        self._reported[kind] = _Reported(record, self._clock() + REPORTED_EVERY_S)
        self._kinds[tenant] += 1
        self._waiting.append(record)

    async def flush(self) -> None:
        """Every second. While Redis is away nothing is forgotten, and nothing new is begun but for new kinds."""
        self._look_at_keys()
        if not self._waiting:
            self._count_repeats()
        if self._waiting:
            try:
                await self._outbox.write(*self._waiting)
            except RedisError:
                return  # their ids are the same when they are written again
            self._waiting = []

    def _count_repeats(self) -> None:
        over = [kind for kind, reported in self._reported.items() if reported.until_s <= self._clock()]
        for kind in over:
            reported = self._reported.pop(kind)
            self._kinds[kind[0]] -= 1
            if reported.repeats:
                detail = reported.record.detail | {"times": str(reported.repeats)}
                fields = reported.record.model_dump(exclude={"record_id", "at", "detail"})
                self._waiting.append(AuditRecord(**fields, detail=detail))
        self._kinds = +self._kinds

    def _look_at_keys(self) -> None:
        """Records changes of the tenants file. Every gateway does, also after a start: the records' ids are those of the keys, so each is
        one row."""
        now = {key.id: key for key in self._tenants().keys}
        for key in now.values():
            before = self._keys.get(key.id)
            if before is None:
                self._waiting.append(_of_key(key, "key.create", key.created))
            if key.revoked and not (before and before.revoked):
                self._waiting.append(_of_key(key, "key.revoke", key.revoked))
        for key in self._keys.values():
            if key.id not in now and not key.revoked:
                self._waiting.append(_of_key(key, "key.revoke", datetime.now(UTC)))
        self._keys = now


def _of_key(key: ApiKey, action: str, at: datetime) -> AuditRecord:
    moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    return AuditRecord(
        record_id=f"{action}_{key.sha256[:32]}", at=moment, tenant=key.tenant, actor="tenants file", action=action, target=key.id[:128]
    )
