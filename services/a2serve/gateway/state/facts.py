"""Facts of a finished response and of a socket, from which records, bill and transcripts are made."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from a2llm.messages import Timings, Usage
from a2serve.telemetry import names


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """One finished response, for the turn and usage records. Times in ms since the turn was called over.

    `input_audio_ms`: audio that the user committed since the response before. `model`: the revision that answered, as far as it is
    known.
    """

    tenant: str
    session_id: str
    response_id: str
    status: str
    user_text: str
    avatar_text: str
    usage: Usage
    inference: Timings
    endpointing_ms: float = 0.0
    transcription_ms: float = 0.0
    first_packet_ms: float | None = None
    cut_ms: int | None = None
    audio_ms: int = 0
    input_audio_ms: int = 0
    motion_frames: int = 0
    trace_id: str = ""
    model: str = ""

    def phases_ms(self) -> dict[str, float]:
        """Time to the first sound by phase of telemetry.names; empty where no sound was sent or times are not known.

        Endpointing comes before that time, the other phases sum up to it.
        """
        inference = self.inference
        if self.first_packet_ms is None or not inference.first_audio_ms:
            return {}
        marks = (0.0, inference.queue_ms, inference.prefill_ms, inference.first_token_ms, inference.first_audio_ms)
        steps = [max(0.0, later - sooner) for sooner, later in pairwise(marks)]
        rest = max(0.0, self.first_packet_ms - self.transcription_ms - inference.first_audio_ms)
        return dict(zip(names.PHASES, (self.endpointing_ms, self.transcription_ms, *steps, rest), strict=True))


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session began or ended, or a client changed its settings. `holder`: which of its sockets. `fresh`: made by it.

    `updates`: how often it changed settings; `updated`: which ones.
    """

    tenant: str
    session_id: str
    event: Literal["opened", "updated", "closed"]
    cause: str | None = None
    duration_ms: int = 0
    turns: int = 0
    holder: str = ""
    fresh: bool = False
    updates: int = 0
    updated: tuple[str, ...] = ()
