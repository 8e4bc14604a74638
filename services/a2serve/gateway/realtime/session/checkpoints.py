"""Checkpoints of a session, which hold if nothing more is heard of it: its bill until now, what is being said, what to tell the client.

They are written a few times a second while something is said, else every few seconds, with what is stored anyway. Should this gateway
be lost, another one settles by them.
"""

from dataclasses import replace
from typing import Protocol

from a2llm.messages import ModelInfo
from a2serve.contracts.server_events import StatusDetails, StatusError
from a2serve.gateway.conversation.conversation import Conversation
from a2serve.gateway.conversation.item_log import Entry, entry
from a2serve.gateway.realtime.response.active_responses import ActiveResponses
from a2serve.gateway.realtime.response.response import Response
from a2serve.gateway.realtime.session.collaborators import Collaborators, Identity
from a2serve.gateway.realtime.session.tally import SessionTally
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.saved_session import Checkpoint

_LOST = StatusError(type="server_error", code="connection_lost", message="the gateway that spoke it was lost; what was sent is kept")


class CheckpointedSession(Protocol):
    """The state of a session that checkpoints and records are made of."""

    identity: Identity
    parts: Collaborators
    conversation: Conversation
    responses: ActiveResponses
    tally: SessionTally
    opened_ms: float

    @property
    def info(self) -> ModelInfo | None:
        """The model's last description of itself."""
        ...


def checkpoint_of(session: CheckpointedSession) -> Checkpoint:
    """Makes a checkpoint of the session as it is now."""
    records, responses = session.parts.records, session.responses.in_progress
    closed = records.of_session(closing_facts(session, "gateway_lost"))
    bills = [record for response in responses for record in records.of_turn(replace(turn_facts(session, response), status="incomplete"))]
    lost = [_lost_body(response) for response in responses]
    return Checkpoint((*closed, *bills), _unfinished(session), lost)


def closing_facts(session: CheckpointedSession, cause: str) -> SessionFacts:
    """Facts of the session, as if it were closed now."""
    identity, open_ms = session.identity, int(session.parts.now_ms() - session.opened_ms)
    return SessionFacts(
        identity.tenant,
        identity.session_id,
        "closed",
        cause,
        open_ms,
        session.tally.turns,
        identity.holder,
        updates=session.tally.updates,
        updated=session.tally.updated,
    )


def turn_facts(session: CheckpointedSession, response: Response) -> TurnFacts:
    """Facts of a response that is over, or as if it were over now."""
    times, items = response.times, session.conversation.items
    heard_from_user = next((item for item in reversed(items) if item.role == "user" and item.type == "message"), None)
    first = times.first_packet_ms - times.asked_ms if times.first_packet_ms else None
    return TurnFacts(
        tenant=session.identity.tenant,
        session_id=session.identity.session_id,
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
        model=response.model or (session.info.revision if session.info else ""),
    )


def _unfinished(session: CheckpointedSession) -> list[Entry]:
    items = session.conversation.items
    return [
        entry(items, place, status="incomplete", tokens=[])
        for place, item in enumerate(items[-_LAST:], max(len(items) - _LAST, 0))
        if item.status == "in_progress"
    ]


_LAST = 50  # what is being said is among the last items


def _lost_body(response: Response) -> dict[str, object]:
    details = StatusDetails(type="incomplete", error=_LOST)
    return response.writer.unfinished(details, response.usage).model_dump(mode="json")
