"""Every Redis key, once. The tenant is the first part, so one tenant's code can never name another's data.

The only keys without a tenant are the outbox and the transcripts on their way, which only their senders read, `OPEN`, which
only names what may have to be settled, and `REWRITTEN`, which is a time.

All keys share the hash tag `{a2}`, so that a Redis Cluster keeps them in one slot: a session and the records about it
are written in one transaction, and there is one outbox. A cluster gives failover then, not more capacity; one primary has
capacity for far more sessions than a gateway cell does.
"""

import hashlib
from typing import Final

PREFIX: Final = "{a2}"
OUTBOX: Final = f"{PREFIX}:outbox"
TRANSCRIPTS: Final = f"{PREFIX}:transcripts"  # words on their way to SQL; each entry says whose
OPEN: Final = f"{PREFIX}:open"  # sorted set: sockets and turns in progress (`opened`); the score says until when they count as alive, ms
REWRITTEN: Final = f"{PREFIX}:rewritten"  # while it stands, the append-only file needs not be written anew
ALL_ENDINGS: Final = f"{PREFIX}:*:endings"  # every tenant's, for a replica to listen to


def session(tenant: str, session_id: str) -> str:
    """Settings and facts of a session, JSON."""
    return _key(tenant, "session", session_id)


def conversation(tenant: str, session_id: str) -> str:
    """The conversation of a session."""
    return _key(tenant, "conversation", session_id)


def checkpoint(tenant: str, holder: str) -> str:
    """Hash: the checkpoint of a socket or turn; without a holder, the beginning of all their keys."""
    return _key(tenant, "checkpoint", holder)


def deleted(tenant: str, session_id: str) -> str:
    """Stands for a while after a session was deleted: a holder that still has it must not write it again."""
    return _key(tenant, "deleted", session_id)


def stored_sessions(tenant: str) -> str:
    """Sorted set: the tenant's sessions, and until when they are kept, ms."""
    return _key(tenant, "stored", "sessions")


def stored_responses(tenant: str) -> str:
    """The same of answers that an Idempotency-Key would repeat."""
    return _key(tenant, "stored", "answers")


def stored_sizes(tenant: str) -> str:
    """Hash: bytes of each of both, and their total."""
    return _key(tenant, "stored", "sizes")


def endings(tenant: str) -> str:
    """Channel: sessions that replicas have to let go."""
    return _key(tenant, "endings")


def busy(tenant: str, session_id: str) -> str:
    """Lock of the session's only speaker."""
    return _key(tenant, "busy", session_id)


def client_secret(tenant: str, digest: str) -> str:
    """Key of a client secret's grant, by the secret's hash; the secret itself is not stored."""
    return _key(tenant, "secret", digest)


def revoked(tenant: str, grant_id: str) -> str:
    """Stands for a while after a client secret was revoked: its sockets have to close."""
    return _key(tenant, "revoked", grant_id)


def used(tenant: str, grant_id: str) -> str:
    """The only session that a single-use secret opens."""
    return _key(tenant, "used", grant_id)


def personas(tenant: str) -> str:
    """Hash: name -> the tenant's persona, JSON."""
    return _key(tenant, "personas")


def idempotency(tenant: str, name: str) -> str:
    """The first answer to an Idempotency-Key."""
    return _key(tenant, "idempotency", _digest(name))


def responses_of(tenant: str, session_id: str) -> str:
    """Set: the keys of the responses that were kept of a session's requests; they hold what was said."""
    return _key(tenant, "answers", session_id)


def request_rate(tenant: str) -> str:
    """When the tenant's requests are used up, ms."""
    return _key(tenant, "rate", "requests")


def live(tenant: str) -> str:
    """Sorted set of leases, one per live session; the score says until when, ms."""
    return _key(tenant, "live")


def holders(tenant: str) -> str:
    """Hash: live session -> which of its sockets or turns has the lease."""
    return _key(tenant, "live", "holders")


def live_of_grant(tenant: str, grant_id: str) -> str:
    """Sorted set as `live`, of the sessions that one client secret has open."""
    return _key(tenant, "live", "grant", grant_id)


def request_rate_of_grant(tenant: str, grant_id: str) -> str:
    """Key of one client secret's rate of REST requests, like `request_rate`."""
    return _key(tenant, "rate", "grant", grant_id)


def _key(tenant: str, *parts: str) -> str:
    assert tenant and ":" not in tenant, f"not a tenant: {tenant!r}"
    return ":".join((PREFIX, tenant, *parts))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
