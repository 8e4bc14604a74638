"""Sound of all voices for training what makes voice frames: Kokoro whole, its prosody bent as data builds bend it.

A clip is a file; what is there is not made again.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from a2llm import weights
from a2llm.data.kokoro import STYLE_WIDTH, Kokoro
from a2llm.data.prosody import deliver
from a2llm.data.score import Score
from a2llm.data.shards import save_arrays
from a2llm.data.voice_teacher import shape
from a2llm.data.voices import Style, Voice
from a2llm.talker.phones import align_words, load_g2p, split_sentences

HELD_OUT_EVERY = 10  # the last of so many clips of a voice


@dataclass(frozen=True)
class VoiceClip:
    """pcm [S] at 24 kHz and what the generator read for it: features [N, 512], pitch [N], style [128] of the decoder."""

    voice: str
    text: str
    pcm: np.ndarray
    features: np.ndarray
    f0_hz: np.ndarray
    style: np.ndarray
    held_out: bool


@dataclass(frozen=True)
class ClipPlan:
    """model: Kokoro's file. Voices with their styles; scores are dealt out to them in turn, so that no two say the same; of a score
    the first sentence is said."""

    model: Path
    voices: Sequence[tuple[Voice, Style]]
    scores: Sequence[Score]
    a_voice: int
    seed: int = 0


def make_clips(plan: ClipPlan, out: Path, workers: int, on_progress: Callable[[int, int], None] | None = None) -> None:
    """Make the missing clips in `out`. Raises ValueError for too few scores."""
    wanted = plan.a_voice * len(plan.voices)
    if len(plan.scores) < wanted:
        raise ValueError(f"{wanted} clips need as many scores, not {len(plan.scores)}")
    out.mkdir(parents=True, exist_ok=True)
    jobs = [
        (plan.model, out / f"{voice.name}-{index:04d}.npz", voice, style, plan.scores[index * len(plan.voices) + at], plan.seed + index)
        for index in range(plan.a_voice)
        for at, (voice, style) in enumerate(plan.voices)
    ]
    left = [job for job in jobs if not job[1].exists()]
    with ProcessPoolExecutor(workers) as pool:
        for done, made in enumerate(as_completed([pool.submit(_make_clip, job) for job in left]), start=len(jobs) - len(left) + 1):
            made.result()
            if on_progress:
                on_progress(done, len(jobs))


@cache
def _kokoro(model: Path) -> Kokoro:
    return Kokoro(model, weights.resolve("g2p") / "vocab.json")


def _make_clip(job: tuple[Path, Path, Voice, Style, Score, int]) -> None:
    model, file, voice, style, score, seed = job
    kokoro = _kokoro(model)
    words = split_sentences(score.text)[0]
    known = load_g2p(weights.resolve("g2p"), british=voice.british)(" ".join(words)).strip()
    phones = "".join(symbol for symbol in known if symbol in kokoro.vocabulary)
    made = shape(kokoro, style, phones, np.asarray(align_words(phones, len(words))), deliver(score, np.random.default_rng([seed, 80])))
    said = (made.ids, made.style, made.units, made.f0_hz, made.energy)
    features, pcm = kokoro.features(*said), kokoro.audio(*said)
    save_arrays(
        file,
        {
            "pcm": pcm.astype(np.float16),
            "features": features.astype(np.float16),
            "f0_hz": made.f0_hz,
            "style": made.style[: STYLE_WIDTH // 2],
            "text": np.array(" ".join(words)),
            "voice": np.array(voice.name),
        },
    )


def read_clips(folder: Path) -> list[VoiceClip]:
    """Every clip of a folder, in order of its name."""
    clips: list[VoiceClip] = []
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as data:
            held_out = int(file.stem.rsplit("-", 1)[1]) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
            arrays: Mapping[str, np.ndarray] = {name: data[name].astype(np.float32) for name in ("pcm", "features", "f0_hz", "style")}
            clips.append(VoiceClip(str(data["voice"]), str(data["text"]), **arrays, held_out=held_out))
    return clips
