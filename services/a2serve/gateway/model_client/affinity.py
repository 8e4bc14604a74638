"""Keys of sessions at a shared ingress. The ingress sends equal keys to the same replica, which has the session's KV cache.

A session whose replica is full, or gone, takes another key and keeps it: that is how it moves to another replica.
"""

from collections import OrderedDict

MOST_SESSIONS = 10_000  # that moved; older ones go by their id again


class AffinityKeys:
    """A session's key is its id until it moves."""

    def __init__(self) -> None:
        self._moves: OrderedDict[str, int] = OrderedDict()

    def key(self, session_id: str) -> str:
        moves = self._moves.get(session_id, 0)
        return f"{session_id}~{moves}" if moves else session_id

    def move(self, session_id: str) -> None:
        """Take another key; which replica it leads to is chance."""
        self._moves[session_id] = self._moves.get(session_id, 0) + 1
        self._moves.move_to_end(session_id)
        while len(self._moves) > MOST_SESSIONS:
            self._moves.popitem(last=False)

    def forget(self, session_id: str) -> None:
        self._moves.pop(session_id, None)
