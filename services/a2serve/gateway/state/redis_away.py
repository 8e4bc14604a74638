"""The one error for a Redis that cannot be reached, where a request cannot go on without it."""

from collections.abc import Generator
from contextlib import contextmanager

from redis.exceptions import RedisError

from a2serve.contracts.problems import RETRY_AFTER_MS, Code, Problem


@contextmanager
def while_redis_is_away(detail: str) -> Generator[None]:
    """Raises Problem(state_unavailable) with `detail` for a RedisError inside."""
    try:
        yield
    except RedisError:
        raise Problem(Code.STATE_UNAVAILABLE, detail, retry_after_ms=RETRY_AFTER_MS) from None
