"""The last spans, in memory. Bounded: the oldest leave first, and how many left is counted."""

from collections import deque
from collections.abc import Iterable

from a2serve.local.traces.spans import Span

SPANS = 10_000


class SpanStore:
    """Used from one thread. `version` changes whenever the content does."""

    def __init__(self, limit: int = SPANS) -> None:
        self._spans: deque[Span] = deque(maxlen=limit)
        self.received = 0

    @property
    def version(self) -> int:
        return self.received

    @property
    def dropped(self) -> int:
        """Spans that were received and are no longer here."""
        return self.received - len(self._spans)

    def add(self, spans: Iterable[Span]) -> int:
        """Keeps them; returns how many there were."""
        before = self.received
        for span in spans:
            self._spans.append(span)
            self.received += 1
        return self.received - before

    def all(self) -> tuple[Span, ...]:
        """Returns every span, oldest first."""
        return tuple(self._spans)
