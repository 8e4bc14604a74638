"""Bounds of one session: what a client may send, what is queued for it, how long it lives."""

from dataclasses import dataclass

LEAD_MS = 1500.0  # how far ahead of real time sound may leave


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of one session: sizes, times and queues."""

    max_event_bytes: int = 8 << 20
    max_input_ms: int = 300_000
    max_items: int = 1000
    max_conversation_bytes: int = 16 << 20
    queue_messages: int = 512  # from here on, and from so many bytes on, nothing more is read and nothing more is said
    queue_bytes: int = 2 << 20
    stall_s: float = (
        20.0  # a client that takes no frame for so long does not read; a large frame may take as long as SLOWEST_BYTES_S allows
    )
    max_session_ms: int = 3_600_000
    go_away_ms: int = 30_000
    lead_ms: float = LEAD_MS
    parallel_responses: int = 2  # beside the conversation's own
    lost_after_s: float = 30.0  # a gateway that says nothing for so long is lost, and another one settles for it
