"""Spans as turns: what belongs to one response, whichever service it came from, on one time axis. Pure.

Spans belong together when one is the other's parent, or when both name the same response or utterance. The session's own
span is no such bond: it is the parent of all its turns.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypedDict

from a2serve.local.traces.spans import Span, Value
from a2serve.telemetry import names

TURNS = 50
_BONDS = (names.ATTR_RESPONSE_ID, names.ATTR_UTTERANCE_ID)


class Bar(TypedDict):
    """One span in a waterfall; `start_ms` is since the turn's first span, `depth` 0 for those without a parent here."""

    name: str
    service: str
    depth: int
    start_ms: float
    duration_ms: float
    error: str
    attributes: dict[str, Value]


class Turn(TypedDict):
    """One response with everything that was done for it. `began_ms` is Unix time."""

    response_id: str
    session_id: str
    tenant: str
    trace_id: str
    status: str
    began_ms: float
    duration_ms: float
    bars: list[Bar]


def turns(spans: Sequence[Span], limit: int = TURNS) -> list[Turn]:
    """The last turns, newest first. Spans that belong to no response (health checks, uploads) are left out."""
    groups = [group for group in _groups(spans) if _find(group, names.ATTR_RESPONSE_ID)]
    groups.sort(key=lambda group: min(span.start_ns for span in group), reverse=True)
    return [_turn(group) for group in groups[:limit]]


def _groups(spans: Sequence[Span]) -> list[list[Span]]:
    """Groups spans that are bound to each other, with union-find."""
    spans = [span for span in spans if span.name != names.SPAN_SESSION]
    roots = list(range(len(spans)))

    def root(index: int) -> int:
        while roots[index] != index:
            roots[index] = roots[roots[index]]
            index = roots[index]
        return index

    first_with: dict[tuple[str, str], int] = {(span.trace_id, span.span_id): index for index, span in enumerate(spans)}
    for index, span in enumerate(spans):
        if (parent := first_with.get((span.trace_id, span.parent_id))) is not None:  # absent: the session's span, or not ended yet
            roots[root(index)] = root(parent)
        for key in _BONDS:
            if value := span.attributes.get(key):
                roots[root(index)] = root(first_with.setdefault((key, str(value)), index))
    groups: defaultdict[int, list[Span]] = defaultdict(list)
    for index, span in enumerate(spans):
        groups[root(index)].append(span)
    return list(groups.values())


def _turn(group: list[Span]) -> Turn:
    began_ns = min(span.start_ns for span in group)
    return Turn(
        response_id=_find(group, names.ATTR_RESPONSE_ID),
        session_id=_find(group, names.ATTR_SESSION_ID),
        tenant=_find(group, names.ATTR_TENANT),
        trace_id=group[0].trace_id,
        status=_find(group, names.ATTR_STATUS) or _find(group, names.ATTR_FINISH_REASON),
        began_ms=began_ns / 1e6,
        duration_ms=_ms(max(span.end_ns for span in group) - began_ns),
        bars=_bars(group, began_ns),
    )


def _find(group: Iterable[Span], key: str) -> str:
    return next((str(span.attributes[key]) for span in group if span.attributes.get(key)), "")


def _bars(group: list[Span], began_ns: int) -> list[Bar]:
    """Children under their parents, each level in order of time."""
    here = {span.span_id for span in group}
    children: defaultdict[str, list[Span]] = defaultdict(list)
    for span in sorted(group, key=lambda span: (span.start_ns, -span.end_ns)):
        children[span.parent_id if span.parent_id in here else ""].append(span)
    bars: list[Bar] = []
    waiting = [(span, 0) for span in reversed(children[""])]
    while waiting:
        span, depth = waiting.pop()
        bars.append(_bar(span, depth, began_ns))
        waiting.extend((child, depth + 1) for child in reversed(children.pop(span.span_id, [])))
    return bars


def _bar(span: Span, depth: int, began_ns: int) -> Bar:
    return Bar(
        name=span.name,
        service=span.service,
        depth=depth,
        start_ms=_ms(span.start_ns - began_ns),
        duration_ms=_ms(span.end_ns - span.start_ns),
        error=span.error,
        attributes=span.attributes,
    )


def _ms(ns: int) -> float:
    return round(ns / 1e6, 2)
