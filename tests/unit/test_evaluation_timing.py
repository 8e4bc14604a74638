"""The bench's clockwork: timed parts, playback, the edges of sound, the figures."""

import numpy as np
import pytest

from a2llm.evaluation.bench_figures import SpokenTurn, Turn, cascade_figures, our_figures, spoken_figures
from a2llm.evaluation.cascade import CascadeTurn
from a2llm.evaluation.machine import machine_facts
from a2llm.evaluation.timing import Stopwatch, Timed, audible_edges, play

pytestmark = pytest.mark.unit


class Part:
    """A part with a method, a fact and a call of its own."""

    size = 3

    def work(self, x: int, *, extra: int = 0) -> int:
        return x + extra

    def __call__(self, text: str) -> str:
        return text.upper()


def test_a_timed_part_behaves_as_before():
    watch = Stopwatch()
    part = Timed(Part(), watch, "part", ("work",))
    assert part.work(1, extra=2) == 3 and part.size == 3 and part("a") == "A"
    assert watch.calls == {"part.work": 1, "part.call": 1} and watch.seconds["part"] > 0
    first = watch.first_return["part.work"]
    part.work(1)
    assert watch.first_return["part.work"] == first
    watch.reset()
    part.work(1)
    assert watch.calls == {"part.work": 1}


def test_packets_in_time_do_not_stall():
    playback = play([0.2, 0.22, 0.3], [0, 1200, 2400], 24_000)
    assert playback.underruns == 0 and playback.stalled_ms == 0
    assert play([], [], 24_000).underruns == 0


def test_a_late_packet_stalls_once_and_delays_the_rest():
    # due at 0, 50, 100, 150 ms after the first; the second comes 30 ms late and moves the others
    playback = play([1.0, 1.08, 1.12, 1.18], [0, 1200, 2400, 3600], 24_000)
    assert playback.underruns == 1 and playback.stalled_ms == pytest.approx(30)
    assert play([1.0, 1.08, 1.12, 1.18], [0, 1200, 2400, 3600], 24_000, buffer_ms=40).underruns == 0


def test_audible_edges():
    pcm = np.zeros(24_000, np.float32)
    assert audible_edges(pcm) == (0, 24_000)
    pcm[4_800:12_000] = 0.1
    assert audible_edges(pcm) == (4_800, 12_000)


def turn(frl_ms: float) -> Turn:
    return Turn(
        frl_ms, 50, 20, 1.0, 1.5, 4.0, 30, (0.1, 0.12), (0, 1200), {"backbone": 0.5, "talker": 0.3, "g2p": 0.1}, {"backbone": 0.06}, 6, 2
    )


def test_parts_add_up():
    figures = our_figures([turn(100), turn(200)], 24_000)
    assert figures["frl_typed_p50_ms"] == 150 and figures["ttfa_p50_ms"] == 170 and figures["rtf"] == 0.25
    split = [figures[f"rtf_{part}"] for part in ("backbone", "talker", "audio_codec", "motion_codec", "other")]
    assert sum(map(float, split)) == pytest.approx(0.25)
    assert figures["rtf_cpu"] == 0.375 and figures["rtf_g2p_in_other"] == 0.025
    assert figures["frl_backbone_ms"] == 60 and figures["frl_other_ms"] == 90 and figures["frl_tokens_p50"] == 6
    assert figures["underruns"] == 0 and figures["ms_per_token"] == pytest.approx(16.67)


def test_ratios_are_cascade_over_ours():
    spoken = SpokenTurn(200, 5, 60, 10, 125, 300)
    cascade = CascadeTurn("Yes.", 400, 900, 14, 350, 3.0, {"backbone": 0.6, "voice": 0.15, "motion": 0.06})
    figures = cascade_figures([turn(100)], [spoken], [cascade])
    assert figures["frl_ratio_to_cascade"] == 4 and figures["frl_ratio_to_whole_cascade"] == 9
    assert figures["cascade_frl_spoken_p50_ms"] == 700 and figures["frl_spoken_ratio_to_cascade"] == 3.5
    assert figures["cascade_rtf"] == pytest.approx(0.3) and figures["cascade_rtf_voice"] == pytest.approx(0.05)
    assert spoken_figures([spoken])["spoken_finish_p50_ms"] == 60


def test_the_machine_is_named():
    facts = machine_facts()
    assert facts["machine_cpu"] and float(facts["machine_cores"]) >= 1 and float(facts["machine_memory_gib"]) > 0
