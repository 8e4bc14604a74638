"""The measures on speech whose quality is known, then the whole evaluation and the bench on the weights that ship."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from a2llm import weights
from a2llm.affect import AFFECTS, Affect
from a2llm.api import A2LLM
from a2llm.audio_codec.vocoder import Vocoder
from a2llm.data.build import Speaker, move
from a2llm.data.score import Score
from a2llm.data.speech_teacher import spectral_head
from a2llm.engine import Engine, Parts
from a2llm.evaluation.bench import bench_response
from a2llm.evaluation.clips import Clip, teacher_motion
from a2llm.evaluation.face import liveliness
from a2llm.evaluation.run import run_evaluation
from a2llm.evaluation.sync import Pair, sync_report
from a2llm.evaluation.voice import Judge
from a2llm.evaluation.wer import normalise, word_errors
from a2llm.language.chat import find_persona

pytestmark = pytest.mark.integration
TEXTS = (
    "My mother baked a big apple pie for everybody at the party.",
    "Please bring both umbrellas, because it may be raining by the time we come back.",
    "Bob and Pam promised to be home before the museum opens.",
)


@pytest.fixture(scope="module")
def recorded() -> list[Clip]:
    """The teacher's speech and motion, as if a model had made them."""
    speaker, vocoder = Speaker(), Vocoder(*spectral_head(weights.resolve("voice")))
    clips = []
    for index, text in enumerate(TEXTS):
        affect = Affect(AFFECTS[index], 0.7 if index else 0.0)
        score = Score.plain(text, affect)
        speech, owners = speaker.say(score, index)
        pcm = vocoder.decode(vocoder.start(index), speech.hidden.astype(np.float32), speech.f0_hz, last=True)
        motion = move(speech, owners, score, index)
        clips.append(Clip("", text, affect, speech.phones, speech.durations, speech.f0_hz, pcm, motion, 1.0))
    return clips


@pytest.fixture(scope="module")
def model(shipped_parts: Parts) -> A2LLM:
    return A2LLM(Engine(shipped_parts), find_persona("ada"))


def test_the_teacher_agrees_with_itself(recorded: list[Clip]):
    pairs = [Pair(clip, teacher_motion(clip, index)) for index, clip in enumerate(recorded)]
    figures = sync_report(pairs, seed=0)
    assert figures["lip_correlation"] > 0.98 and abs(figures["audio_motion_lag_ms"]) <= 50
    assert figures["bilabial_closure_pct"] == 100 and figures["bilabials"] > 10


def test_a_late_mouth_and_a_still_face_are_found(recorded: list[Clip]):
    from a2llm.head.geometry import HeadGeometry

    def with_motion(clip: Clip, motion: np.ndarray) -> Clip:
        return Clip("", clip.text, clip.affect, clip.phones, clip.durations, clip.f0_hz, clip.pcm, motion, 1.0)

    late = [Pair(with_motion(a, np.roll(a.motion, 6, axis=0)), a.motion) for a in recorded]
    still = [Pair(with_motion(a, 0.4 * a.motion), a.motion) for a in recorded]
    on_time = [Pair(a, a.motion) for a in recorded]
    assert sync_report(late, 0)["audio_motion_lag_ms"] - sync_report(on_time, 0)["audio_motion_lag_ms"] == 150
    assert liveliness(still, HeadGeometry.load(), 0)["velocity_ratio"] == pytest.approx(0.4)


def test_the_judge_understands_the_teacher(recorded: list[Clip]):
    judge = Judge()
    errors = [word_errors(normalise(a.text), normalise(judge.hear(a.pcm, a.sample_rate_hz))) for a in recorded]
    assert sum(errors) <= 2
    assert judge.hear(np.zeros(0, np.float32), 24_000) == ""


VOICE = "wer_pct codec_wer_pct teacher_wer_pct whisper_wer_pct codec_whisper_wer_pct teacher_whisper_wer_pct f0_std_ratio"
SYNC = "audio_motion_lag_ms lip_correlation bilabial_closure_pct"
FACE = "velocity_ratio blinks_per_min blink_seconds masked_affect_accuracy_pct masked_affect_ceiling_pct masked_affect_shuffled_pct lve_mm"


def test_the_whole_evaluation_and_again_a_part_of_it(model: A2LLM, tmp_path: Path):
    noisy: list[tuple[int, int]] = []
    figures = run_evaluation("all", 2, lambda done, total: noisy.append((done, total)), model=model, details=tmp_path / "d.jsonl")
    assert {*VOICE.split(), *SYNC.split(), *FACE.split(), "n", "seed", "seconds", "machine_cpu"} <= set(figures)
    assert all(isinstance(v, (int, float, str)) for v in figures.values()) and json.dumps(figures)
    assert noisy[-1][0] == noisy[-1][1] == len(noisy)
    assert len((tmp_path / "d.jsonl").read_text().splitlines()) == 2
    assert float(figures["teacher_wer_pct"]) <= 15 and float(figures["masked_affect_ceiling_pct"]) >= 60
    again = run_evaluation("sync", 2, model=model)
    same = [name for name in again if not name.startswith(("machine", "seconds"))]
    assert {name: figures[name] for name in same} == {name: again[name] for name in same}


def test_the_bench(model: A2LLM):
    noisy: list[tuple[int, int]] = []
    figures = bench_response(1, lambda done, total: noisy.append((done, total)), model=model)
    parts = [float(figures[f"rtf_{part}"]) for part in ("backbone", "talker", "audio_codec", "motion_codec", "other")]
    assert sum(parts) == pytest.approx(float(figures["rtf"]), rel=0.02) and min(parts) > 0
    latencies = ("frl_typed_p50_ms", "frl_spoken_p50_ms", "ttft_p50_ms", "ttfa_p50_ms", "cascade_frl_typed_p50_ms")
    assert all(0 < float(figures[name]) < 60_000 for name in latencies)
    assert float(figures["ttft_p50_ms"]) < float(figures["frl_typed_p50_ms"]) <= float(figures["ttfa_p50_ms"])
    assert math.isfinite(float(figures["frl_ratio_to_cascade"])) and float(figures["cascade_rtf"]) > 0
    assert noisy == [(1, 1)]
