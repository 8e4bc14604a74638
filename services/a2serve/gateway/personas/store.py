"""The tenants' own personas, in Redis."""

from typing import Any

from redis.asyncio import Redis

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.records import RecordBase
from a2serve.gateway.personas.bodies import PersonaBody
from a2serve.gateway.state import outbox, redis_keys

MAX_PERSONAS = 200


# KEYS: the tenant's personas, the outbox. ARGV: name, persona, most, records.
_CREATE = f"""
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 'taken' end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], ARGV[1])
    return 'full'
end
local first = 4
{outbox.ADD}
return 'made'
"""
# KEYS: the tenant's personas, the outbox. ARGV: name, records.
_DELETE = f"""
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
local first = 2
{outbox.ADD}
return 1
"""


class Personas:
    """Personas that tenants have made, in Redis."""

    def __init__(self, redis: "Redis") -> None:
        self._redis: Any = redis
        self._create: Any = redis.register_script(_CREATE)
        self._delete: Any = redis.register_script(_DELETE)

    async def all(self, tenant: str) -> list[PersonaBody]:
        """Returns the tenant's personas, sorted by name."""
        stored = await self._redis.hgetall(redis_keys.personas(tenant))
        return sorted((PersonaBody.model_validate_json(raw) for raw in stored.values()), key=lambda persona: persona.name)

    async def find(self, tenant: str, name: str) -> PersonaBody | None:
        raw = await self._redis.hget(redis_keys.personas(tenant), name)
        return PersonaBody.model_validate_json(raw) if raw else None

    async def create(self, tenant: str, persona: PersonaBody, *records: RecordBase) -> None:
        """Keep it, with the records that say so. Raises Problem(conflict) for a name in use or too many."""
        keys, made = (
            [redis_keys.personas(tenant), redis_keys.OUTBOX],
            persona.model_dump_json(exclude=None if persona.language_model else {"language_model"}),
        )
        outcome = await self._create(keys=keys, args=[persona.name, made, MAX_PERSONAS, *outbox.arguments(*records)])
        if outcome == b"taken":
            raise Problem(Code.CONFLICT, f"a persona {persona.name!r} exists already", param="name")
        if outcome == b"full":
            raise Problem(Code.CONFLICT, f"a tenant has at most {MAX_PERSONAS} personas")

    async def delete(self, tenant: str, name: str, *records: RecordBase) -> None:
        """Deletes a persona, with its audit records. Raises Problem(not_found), also for all but one of several who delete it at once."""
        keys = [redis_keys.personas(tenant), redis_keys.OUTBOX]
        if not await self._delete(keys=keys, args=[name, *outbox.arguments(*records)]):
            raise Problem(Code.NOT_FOUND, f"no persona {name!r} of your own")
