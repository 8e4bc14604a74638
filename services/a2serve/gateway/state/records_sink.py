"""`Records` of sessions: their facts as Kafka records, into the outbox.

The request that opened a session says who did. The ids of records follow from the response or the socket, so that
writing them again, when it is not known whether the first time worked, bills nothing twice.
"""

from collections.abc import Callable
from dataclasses import asdict

from redis.exceptions import RedisError

from a2llm.messages import Usage
from a2serve.contracts.records import AuditRecord, RecordBase, SessionRecord, TurnRecord, UsageRecord
from a2serve.gateway import request_context
from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.late_writes import LateWrites
from a2serve.gateway.state.outbox import Outbox
from a2serve.gateway.state.transcripts import Transcripts


class OutboxRecords:
    """Writes records; one per gateway. `model` returns the revision that answers now, for facts that no response names. Transcripts go
    another way."""

    def __init__(self, outbox: Outbox, transcripts: Transcripts, late: LateWrites, model: Callable[[], str] = str) -> None:
        self._outbox, self._transcripts, self._late, self._model = outbox, transcripts, late, model

    async def write(self, facts: TurnFacts | SessionFacts) -> None:
        """Writes the turn and its cost, both or neither; or that a socket was opened, or closed and how long it was open."""
        try:
            await self._outbox.write(*self._of(facts))
            if isinstance(facts, TurnFacts):
                await self._transcripts.keep(facts, request_context.current().end_user_id)
        except RedisError:
            if not self.spool(facts):
                raise

    def spool(self, facts: TurnFacts | SessionFacts) -> bool:
        """Redis is away, so it waits on disk. False: it does not."""
        words = self._transcripts.row(facts, request_context.current().end_user_id) if isinstance(facts, TurnFacts) else b""
        kept = not words or self._late.stream(redis_keys.TRANSCRIPTS, [("", facts.session_id, words.decode())])
        return self._late.records(self._of(facts)) and kept

    def of_turn(self, facts: TurnFacts) -> list[RecordBase]:
        """A response that was refused cost nothing, and is no row of the bill."""
        cost = facts.status != "failed" or facts.usage != Usage() or facts.motion_frames
        return [_turn(facts), *([_usage(facts, facts.model or self._model())] if cost else [])]

    def of_session(self, facts: SessionFacts) -> list[RecordBase]:
        """Records of a session, with those of the audit trail: a session that the socket made, settings that its client changed."""
        match facts.event:
            case "opened":
                return [_session(facts), *([_audit(facts, "session.create")] if facts.fresh else [])]
            case "updated":
                return [_audit(facts, "session.update", settings=", ".join(facts.updated))]
            case "closed":
                later = {"settings": ", ".join(facts.updated), "times": str(facts.updates - 1)}
                more = [_audit(facts, "session.update", **later)] if facts.updates > 1 else []
                return [_session(facts), _open_time(facts, self._model()), *more]

    def _of(self, facts: TurnFacts | SessionFacts) -> list[RecordBase]:
        return self.of_turn(facts) if isinstance(facts, TurnFacts) else self.of_session(facts)


def _audit(facts: SessionFacts, action: str, **detail: str) -> AuditRecord:
    context = request_context.current()
    return AuditRecord(
        record_id=f"audit_{facts.event}_{facts.holder}",
        tenant=facts.tenant,
        actor=context.key_id or "client_secret",
        action=action,
        target=facts.session_id,
        request_id=context.request_id,
        detail={"by": "socket"} | detail,
    )


def _session(facts: SessionFacts) -> SessionRecord:
    assert facts.event != "updated"
    context = request_context.current()
    return SessionRecord(
        record_id=f"{facts.event}_{facts.holder}",
        tenant=facts.tenant,
        session_id=facts.session_id,
        event=facts.event,
        cause=facts.cause or "",
        key_id=context.key_id,
        end_user_id=context.end_user_id,
        request_id=context.request_id,
        duration_ms=facts.duration_ms,
        turns=facts.turns,
    )


def _open_time(facts: SessionFacts, model: str) -> UsageRecord:
    context = request_context.current()
    return UsageRecord(
        record_id=f"usage_{facts.holder}",
        tenant=facts.tenant,
        session_id=facts.session_id,
        response_id="",
        model=model,
        end_user_id=context.end_user_id,
        request_id=context.request_id,
        session_ms=facts.duration_ms,
    )


def _turn(facts: TurnFacts) -> TurnRecord:
    timings, context = facts.inference, request_context.current()
    return TurnRecord(
        record_id=f"turn_{facts.response_id}",
        tenant=facts.tenant,
        session_id=facts.session_id,
        response_id=facts.response_id,
        end_user_id=context.end_user_id,
        request_id=context.request_id,
        trace_id=facts.trace_id,
        status=facts.status,
        endpointing_ms=facts.endpointing_ms,
        transcription_ms=facts.transcription_ms,
        first_packet_ms=facts.first_packet_ms,
        queue_ms=timings.queue_ms,
        prefill_ms=timings.prefill_ms,
        first_audio_ms=timings.first_audio_ms,
        compute_ms=timings.compute_ms,
        cut_ms=facts.cut_ms,
        audio_ms=facts.audio_ms,
    )


def _usage(facts: TurnFacts, model: str) -> UsageRecord:
    context = request_context.current()
    return UsageRecord(
        record_id=f"usage_{facts.response_id}",
        tenant=facts.tenant,
        session_id=facts.session_id,
        response_id=facts.response_id,
        end_user_id=context.end_user_id,
        request_id=context.request_id,
        trace_id=facts.trace_id,
        model=model,
        **asdict(facts.usage),
        input_audio_ms=facts.input_audio_ms,
        output_motion_frames=facts.motion_frames,
    )
