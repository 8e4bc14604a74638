"""The clock and the ids of sessions; tests pass their own."""

import secrets
import time


def monotonic_ms() -> float:
    """Time on the session's clock, in milliseconds."""
    return time.monotonic() * 1000


def random_id(prefix: str) -> str:
    """`item_3f…`, as the wire has them."""
    return f"{prefix}_{secrets.token_hex(10)}"
