"""Synthetic users: who says what, and what an affect does to a voice; what the head learns from such examples."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from a2llm.affect import AFFECTS
from a2llm.clock import EAR_RATE_HZ
from a2llm.data.tones import TONES, Tone, colour, other_microphone, tone_of
from a2llm.data.user_voices import TEST_VOICES, TRAIN_VOICES, Utterance, plan, read_plan, speak_all
from a2llm.listening.features import FEATURES
from a2llm.listening.pitch import track_pitch
from a2llm.listening.user_affect import UserAffect
from a2llm.training.user_affect import Examples, HeadConfig, evaluate, save_head, train_head
from a2llm.wav_files import write_wav


def hum(seconds: float = 1.2, hz: float = 140.0) -> np.ndarray:
    """A voice-like tone with overtones that swells and fades."""
    t = np.arange(int(seconds * EAR_RATE_HZ)) / EAR_RATE_HZ
    tone = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 12))
    return (0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * t))).astype(np.float32)


def pitch_hz(pcm: np.ndarray) -> float:
    f0 = track_pitch(pcm).f0_hz
    return float(np.median(f0[f0 > 0]))


def test_voices_and_texts_of_the_two_splits_are_apart_and_tones_of_the_test_are_balanced() -> None:
    made = plan(seed=0)
    by_split = {split: [u for u in made if u.split == split] for split in ("train", "test")}
    assert {u.voice for u in by_split["train"]} == set(TRAIN_VOICES) and {u.voice for u in by_split["test"]} == set(TEST_VOICES)
    assert not {u.text for u in by_split["train"]} & {u.text for u in by_split["test"]}
    assert len({u.name for u in made}) == len(made) == 9 * (len(TRAIN_VOICES) + len(TEST_VOICES))
    counts = Counter(u.affect for u in by_split["test"])
    assert set(counts) == set(AFFECTS) and max(counts.values()) - min(counts.values()) <= len(TEST_VOICES)
    assert plan(seed=0) == made and plan(seed=1) != made


def test_what_was_spoken_is_not_spoken_again(tmp_path: Path) -> None:
    utterances = [Utterance("a_00", "a", "test", "Hello there.", "joy")]
    write_wav(tmp_path / "a_00.wav", np.zeros(100, np.float32), EAR_RATE_HZ)
    speak_all(utterances, tmp_path / "no-such-voice", tmp_path)  # the voice would be loaded for a clip that is missing
    assert read_plan(tmp_path) == utterances
    assert json.loads((tmp_path / "clips.json").read_text())[0]["affect"] == "joy"


def test_tones_differ_in_pitch_and_tempo_as_their_table_says() -> None:
    plain, rng = hum(), np.random.default_rng
    high, low = colour(plain, Tone(shift_st=4.0), rng(0)), colour(plain, Tone(shift_st=-4.0), rng(0))
    assert pitch_hz(high) / pitch_hz(plain) == pytest.approx(2 ** (4 / 12), rel=0.06)
    assert pitch_hz(low) / pitch_hz(plain) == pytest.approx(2 ** (-4 / 12), rel=0.06)
    fast = colour(plain, Tone(rate_factor=1.25), rng(0))
    assert len(fast) == pytest.approx(len(plain) / 1.25, rel=0.01)
    assert pitch_hz(fast) == pytest.approx(pitch_hz(plain), rel=0.05), "tempo leaves the pitch"
    assert np.abs(colour(plain, Tone(), rng(0))).max() == pytest.approx(0.5, abs=1e-3)


def test_effort_is_heard_as_brightness() -> None:
    def brightness(pcm: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(pcm)) ** 2
        return float((power * np.fft.rfftfreq(len(pcm), 1 / EAR_RATE_HZ)).sum() / power.sum())

    dull, bright = (colour(hum(), Tone(tilt_db_oct=tilt), np.random.default_rng(0)) for tilt in (-2.5, 2.5))
    assert brightness(bright) > 1.5 * brightness(dull)


def test_a_tone_lies_between_plain_and_full_and_varies_between_people() -> None:
    def mean(intensity: float) -> float:
        return float(np.mean([tone_of("joy", intensity, np.random.default_rng(seed)).shift_st for seed in range(200)]))

    assert mean(0.0) == pytest.approx(0.0, abs=0.2) and mean(1.0) == pytest.approx(TONES["joy"].shift_st, abs=0.2)
    assert mean(0.5) == pytest.approx(TONES["joy"].shift_st / 2, abs=0.2)
    drawn = [tone_of("anger", 0.0, np.random.default_rng(seed)) for seed in range(50)]
    assert len({tone.shift_st for tone in drawn}) == 50 and all(tone.breath >= 0 and tone.shake >= 0 for tone in drawn)


def test_another_microphone_changes_level_and_adds_noise_and_nothing_clips() -> None:
    silence, voice = np.full(8000, 1e-4, np.float32), hum()
    heard = other_microphone(np.concatenate([silence, voice, silence]), np.random.default_rng(1))
    assert np.abs(heard).max() <= 1.0 and heard.dtype == np.float32
    assert heard[:8000].std() > 3 * silence.std(), "the room is never silent"


def separable(clips: int, seed: int) -> Examples:
    """Each affect moves features of its own; people differ by an offset that `usual` knows."""
    rng = np.random.default_rng(seed)
    labels = np.arange(clips) % len(AFFECTS)
    usual = rng.normal(size=(clips, len(FEATURES)))
    features = usual + 0.3 * rng.normal(size=usual.shape)
    for label in range(1, len(AFFECTS)):
        features[labels == label, 3 * label : 3 * label + 3] += 4.0
    return Examples(features.astype(np.float32), usual.astype(np.float32), labels, np.where(labels, 0.8, 0.0))


def test_the_head_learns_what_separates_affects_and_uses_the_usual_voice(tmp_path: Path) -> None:
    config = HeadConfig(epochs=25, batch=32)
    arrays = train_head(separable(300, seed=0), config)
    again = train_head(separable(300, seed=0), config)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays), "the same seed gives the same head"
    save_head(arrays, tmp_path / "head.safetensors", {"seed": 0})
    scores = evaluate(separable(200, seed=1), UserAffect(tmp_path / "head.safetensors"))
    assert scores["known_speaker_accuracy_pct"] > 90 and scores["first_turn_accuracy_pct"] > 40  # 20 is chance
    assert scores["known_speaker_accuracy_pct"] > scores["first_turn_accuracy_pct"]
    assert np.sum(scores["known_speaker_confusion_truth_by_answer"]) == 200
