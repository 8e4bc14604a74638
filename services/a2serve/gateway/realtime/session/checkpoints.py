"""Checkpoints of a session, which hold if nothing more is heard of it: its bill until now, what is being said, what to tell the client.

They are written a few times a second while something is said, else every few seconds, with what is stored anyway. Should this gateway
be lost, another one settles by them.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from a2serve.contracts.server_events import StatusDetails, StatusError
from a2serve.gateway.conversation.item_log import Entry, entry
from a2serve.gateway.realtime.response.response import Response
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.saved_session import Checkpoint

if TYPE_CHECKING:
    from a2serve.gateway.realtime.session.core import SessionCore

_LOST = StatusError(type="server_error", code="connection_lost", message="the gateway that spoke it was lost; what was sent is kept")


def checkpoint_of(core: "SessionCore") -> Checkpoint:
    """Makes a checkpoint of the session as it is now."""
    records, responses = core.parts.records, core.responses.in_progress
    closed = records.of_session(closing_facts(core, "gateway_lost"))
    bills = [record for response in responses for record in records.of_turn(replace(turn_facts(core, response), status="incomplete"))]
    lost = [_lost_body(response) for response in responses]
    return Checkpoint((*closed, *bills), _unfinished(core), lost)


def closing_facts(core: "SessionCore", cause: str) -> SessionFacts:
    """Facts of the session, as if it were closed now."""
    identity, open_ms = core.identity, int(core.parts.now_ms() - core.opened_ms)
    return SessionFacts(
        identity.tenant,
        identity.session_id,
        "closed",
        cause,
        open_ms,
        core.tally.turns,
        identity.holder,
        updates=core.tally.updates,
        updated=core.tally.updated,
    )


def turn_facts(core: "SessionCore", response: Response) -> TurnFacts:
    """Facts of a response that is over, or as if it were over now."""
    times, items = response.times, core.conversation.items
    heard_from_user = next((item for item in reversed(items) if item.role == "user" and item.type == "message"), None)
    first = times.first_packet_ms - times.asked_ms if times.first_packet_ms else None
    return TurnFacts(
        tenant=core.identity.tenant,
        session_id=core.identity.session_id,
        response_id=response.id,
        status=response.status,
        user_text=heard_from_user.transcript() if heard_from_user else "",
        avatar_text=" ".join(item.transcript() for item in response.items if item.type == "message"),
        usage=response.usage,
        inference=response.timings,
        endpointing_ms=times.endpointing_ms,
        transcription_ms=(times.words_ms or times.asked_ms) - times.asked_ms,
        first_packet_ms=first,
        cut_ms=response.cut_ms,
        audio_ms=int(sum(item.audio_ms for item in response.items)),
        input_audio_ms=response.input_audio_ms,
        motion_frames=response.motion_frames,
        trace_id=response.trace.trace_id,
        model=response.model or (core.info.revision if core.info else ""),
    )


def _unfinished(core: "SessionCore") -> list[Entry]:
    items = core.conversation.items
    return [
        entry(items, place, status="incomplete", tokens=[])
        for place, item in enumerate(items[-_LAST:], max(len(items) - _LAST, 0))
        if item.status == "in_progress"
    ]


_LAST = 50  # what is being said is among the last items


def _lost_body(response: Response) -> dict[str, object]:
    details = StatusDetails(type="incomplete", error=_LOST)
    return response.writer.unfinished(details, response.usage).model_dump(mode="json")
