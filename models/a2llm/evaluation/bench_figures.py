"""The response bench's report: turns as they were measured, and their figures. Formulas: docs/metrics.md."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from a2llm.evaluation.cascade import CascadeTurn
from a2llm.evaluation.statistics import percentiles, rounded
from a2llm.evaluation.timing import PARTS, play

NETWORK_BUFFER_MS = 100.0  # what a careful client would hold back


@dataclass(frozen=True)
class Turn:
    """One typed answer of ours. `first` holds what had been spent and done when the first packet left."""

    frl_ms: float
    ttft_ms: float
    lead_ms: float
    wall_s: float
    cpu_s: float
    audio_s: float
    tokens: int
    arrivals_s: tuple[float, ...]
    pts_samples: tuple[int, ...]
    parts_s: dict[str, float]
    first_parts_s: dict[str, float]
    first_tokens: int
    first_frames: int


@dataclass(frozen=True)
class SpokenTurn:
    """One spoken turn. backlog_ms: reading that was still to do for what had been said before the last sample."""

    frl_ms: float
    backlog_ms: float
    finish_ms: float
    affect_ms: float
    answer_ms: float
    cascade_ear_ms: float


def our_figures(turns: Sequence[Turn], sample_rate_hz: int) -> dict[str, float | str]:
    """Latency, its parts, cost and playback of typed turns."""
    audio_s = sum(t.audio_s for t in turns)
    strict = [play(t.arrivals_s, t.pts_samples, sample_rate_hz) for t in turns]
    buffered = [play(t.arrivals_s, t.pts_samples, sample_rate_hz, NETWORK_BUFFER_MS) for t in turns]
    gaps = [1000 * gap for t in turns for gap in np.diff(t.arrivals_s)]
    return {
        **percentiles("frl_typed", [t.frl_ms for t in turns]),
        **percentiles("ttft", [t.ttft_ms for t in turns]),
        **percentiles("ttfa", [t.frl_ms + t.lead_ms for t in turns]),
        **_first_packet_parts(turns),
        **_factors(turns, audio_s),
        **percentiles("packet_gap", gaps),
        **rounded(
            {
                "underruns": sum(p.underruns for p in strict),
                "underrun_ms": sum(p.stalled_ms for p in strict),
                "underruns_buffered": sum(p.underruns for p in buffered),
                "packets": sum(len(t.arrivals_s) for t in turns),
                "audio_s": audio_s,
                "audio_s_mean": audio_s / len(turns),
                "ms_per_token": 1000 * sum(t.parts_s.get("backbone", 0.0) for t in turns) / sum(t.tokens for t in turns),
            }
        ),
    }


def _first_packet_parts(turns: Sequence[Turn]) -> dict[str, float]:
    """The compute in FRL by part (means), and its structure: tokens and frames that must exist before the first packet."""
    parts = {f"frl_{part}_ms": 1000 * float(np.mean([t.first_parts_s.get(part, 0.0) for t in turns])) for part in PARTS}
    whole = float(np.mean([t.frl_ms for t in turns]))
    structure = {
        "frl_tokens_p50": float(np.median([t.first_tokens for t in turns])),
        "frl_frames_p50": float(np.median([t.first_frames for t in turns])),
        "lead_silence_p50_ms": float(np.median([t.lead_ms for t in turns])),
    }
    return rounded({**parts, "frl_other_ms": whole - sum(parts.values()), "frl_mean_ms": whole, **structure})


def _factors(turns: Sequence[Turn], audio_s: float) -> dict[str, float]:
    """Real-time factors: seconds of work for a second of sound; the parts add up to the whole."""
    wall_s = sum(t.wall_s for t in turns)
    parts = {part: sum(t.parts_s.get(part, 0.0) for t in turns) for part in PARTS}
    figures = {f"rtf_{part}": spent / audio_s for part, spent in parts.items()}
    other = (wall_s - sum(parts.values())) / audio_s
    g2p = sum(t.parts_s.get("g2p", 0.0) for t in turns) / audio_s
    each = [t.wall_s / t.audio_s for t in turns]
    return rounded(
        {
            "rtf": wall_s / audio_s,
            **figures,
            "rtf_other": other,
            "rtf_g2p_in_other": g2p,
            "rtf_p95": float(np.percentile(each, 95)),
            "rtf_cpu": sum(t.cpu_s for t in turns) / audio_s,
        }
    )


def spoken_figures(turns: Sequence[SpokenTurn]) -> dict[str, float]:
    """Latency after the last sample of speech, and its parts (medians)."""
    parts = {name: float(np.median([getattr(t, f"{name}_ms") for t in turns])) for name in ("backlog", "finish", "affect", "answer")}
    return percentiles("frl_spoken", [t.frl_ms for t in turns]) | rounded({f"spoken_{k}_p50_ms": v for k, v in parts.items()})


def cascade_figures(ours: Sequence[Turn], spoken: Sequence[SpokenTurn], theirs: Sequence[CascadeTurn]) -> dict[str, float]:
    """The cascade's latency and cost, and the ratios cascade / ours. `whole`: it waits for the whole response first."""
    audio_s = sum(t.audio_s for t in theirs)
    typed = percentiles("cascade_frl_typed", [t.frl_ms for t in theirs])
    whole = percentiles("cascade_whole_frl_typed", [t.whole_ms for t in theirs])
    heard = [s.cascade_ear_ms + t.frl_ms for s, t in zip(spoken, theirs, strict=True)]
    after_speech = percentiles("cascade_frl_spoken", heard)
    mine = float(np.median([t.frl_ms for t in ours]))
    mine_spoken = float(np.median([t.frl_ms for t in spoken]))
    parts = {f"cascade_rtf_{part}": sum(t.parts_s[part] for t in theirs) / audio_s for part in theirs[0].parts_s}
    figures = {
        "frl_ratio_to_cascade": typed["cascade_frl_typed_p50_ms"] / mine,
        "frl_ratio_to_whole_cascade": whole["cascade_whole_frl_typed_p50_ms"] / mine,
        "frl_spoken_ratio_to_cascade": after_speech["cascade_frl_spoken_p50_ms"] / mine_spoken,
        "cascade_rtf": sum(t.whole_ms for t in theirs) / 1000 / audio_s,
        **parts,
        "cascade_frl_tokens_p50": float(np.median([t.frl_tokens for t in theirs])),
        "cascade_ttfa_p50_ms": float(np.median([t.frl_ms + t.lead_ms for t in theirs])),
        "cascade_ear_p50_ms": float(np.median([s.cascade_ear_ms for s in spoken])),
        "cascade_audio_s": audio_s,
    }
    return typed | whole | after_speech | rounded(figures)
