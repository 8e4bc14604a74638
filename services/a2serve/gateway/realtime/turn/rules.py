"""How turns are found: the rules that a session's `turn_detection` stands for."""

from dataclasses import dataclass, replace

from a2serve.contracts.session_config import SemanticVad, ServerVad

REQUIRED_PROBABILITY = {"low": 0.7, "medium": 0.5, "high": 0.3}
MAX_WAIT_MS = {"low": 8000, "medium": 4000, "high": 2000}  # as the GA API documents them


@dataclass(frozen=True, slots=True)
class TurnRules:
    """How turns are found. `off`: the client decides; `required_probability` is None where silence alone decides."""

    off: bool = False
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    max_silence_ms: int = 500
    required_probability: float | None = None
    idle_timeout_ms: int | None = None
    creates_response: bool = True
    interrupts: bool = True


def rules_of(detection: ServerVad | SemanticVad | None) -> TurnRules:
    """The rules that a session's `turn_detection` stands for."""
    if detection is None:
        return TurnRules(off=True)
    common = TurnRules(creates_response=detection.create_response, interrupts=detection.interrupt_response)
    if isinstance(detection, SemanticVad):
        eagerness = "medium" if detection.eagerness == "auto" else detection.eagerness
        return replace(common, required_probability=REQUIRED_PROBABILITY[eagerness], max_silence_ms=MAX_WAIT_MS[eagerness])
    return replace(
        common,
        threshold=detection.threshold,
        prefix_padding_ms=detection.prefix_padding_ms,
        max_silence_ms=detection.silence_duration_ms,
        idle_timeout_ms=detection.idle_timeout_ms,
    )
