"""The synthetic FLAME-QA builder: texts -> teacher speech -> codec latents and teacher motion, in shards.

Deterministic by seed, resumable (a finished shard is not made again), parallel by shard.
"""

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from a2llm import weights
from a2llm.audio_codec.codec import AudioCodec, AudioCodecConfig, fit_audio_codec
from a2llm.audio_codec.frames import VoiceFrames
from a2llm.data.lines import Line, overall_affect
from a2llm.data.motion_teacher import teach_motion
from a2llm.data.prosody import deliver
from a2llm.data.score import Score
from a2llm.data.shards import Utterance, write_shard
from a2llm.data.speech_teacher import DB_PER_ENERGY, TeacherSpeech
from a2llm.data.teachers import OneVoice, Teacher, load_teacher
from a2llm.data.voices import BRITISH
from a2llm.talker.phones import PhoneTable, align_words, load_g2p, split_sentences

SHARD = 128


class Speaker:
    """Says whole texts, sentence by sentence, with a teacher in one of its voices. One per process."""

    def __init__(self, teacher: Teacher | None = None) -> None:
        assets = weights.resolve("g2p")
        self.table, self.teacher = PhoneTable.load(assets), teacher or OneVoice()
        self._assets, self.g2p = assets, load_g2p(assets)

    def say(self, score: Score, seed: int) -> tuple[TeacherSpeech, np.ndarray]:
        """Returns the joined speech of all sentences and each phone's word index [P]. Raises ValueError for text without a sound."""
        parts, owners, first = [], [], 0
        delivery = deliver(score, np.random.default_rng([seed, 80]))
        g2p = load_g2p(self._assets, british=score.voice in BRITISH)
        for words in split_sentences(score.text):
            symbols = "".join(s for s in g2p(" ".join(words)).strip() if s in self.table.ids)
            if not symbols:
                raise ValueError(f"nothing to pronounce in {score.text!r}")
            owner = np.asarray(align_words(symbols, len(words))) + first
            part = self.teacher.speak(score.voice, symbols, owner, delivery)
            if parts:  # the space between sentences lasts no time of its own
                part = TeacherSpeech(" " + part.phones, np.concatenate(([0], part.durations)), part.f0_hz, part.energy, part.hidden)
                owner = np.concatenate(([first], owner))
            parts.append(part)
            owners.append(owner)
            first += len(words)
        return join(parts), np.concatenate(owners)


def join(parts: list[TeacherSpeech]) -> TeacherSpeech:
    return TeacherSpeech(
        "".join(p.phones for p in parts),
        *(np.concatenate([getattr(p, name) for p in parts]) for name in ("durations", "f0_hz", "energy", "hidden")),
    )


def voice_frames(speech: TeacherSpeech) -> VoiceFrames:
    return VoiceFrames(torch.from_numpy(speech.hidden.astype(np.float32))[None], torch.from_numpy(speech.f0_hz.astype(np.float32))[None])


def move(speech: TeacherSpeech, owners: np.ndarray, score: Score, seed: int) -> np.ndarray:
    """Teacher motion [U, 61] for teacher speech; owners [P]: each phone's word."""
    return teach_motion(speech.phones, speech.durations, speech.f0_hz, speech.energy * DB_PER_ENERGY, owners, score, seed)


def fit_codec(lines: list[Line], count: int, voices: tuple[str, ...], config: AudioCodecConfig, iters: int = 14) -> AudioCodec:
    """Fit the audio codec on about `count` utterances of each voice, spread over all texts and affects. Raises ValueError if a voice says
    none."""
    speaker = Speaker(load_teacher(voices))
    stride = max(1, len(lines) // (count * len(voices)))
    spoken = [line for line in lines[::stride] if line.split == "train"]
    speeches: dict[str, list[TeacherSpeech]] = {voice: [] for voice in voices}
    for line in spoken:
        score = line.performances[-1].score
        speeches[score.voice].append(speaker.say(score, line.sample)[0])
    if silent := [voice for voice, said in speeches.items() if not said]:
        raise ValueError(f"no utterance for the codec in the voice {silent[0]}: it takes more of them")
    weight, bias = speaker.teacher.head
    frames = {voice: voice_frames(join(said)) for voice, said in speeches.items()}
    return fit_audio_codec(frames, torch.tensor(weight), torch.tensor(bias), config, iters)  # copies: ONNX's are read-only


def _utterance(speaker: Speaker, codec: AudioCodec, line: Line, number: int, job: "ShardJob") -> Utterance:
    """Speaks and moves one performance of a line."""
    performance, key = line.performances[number], job.seed * 1_000_003 + line.sample * 16 + number
    score = performance.score
    affect, (speech, owners) = overall_affect(score), speaker.say(score, key)
    return Utterance(
        line.sample,
        score.text,
        affect.category,
        affect.intensity,
        line.split,
        np.array([speaker.table.ids[p] for p in speech.phones], np.uint8),
        owners.astype(np.uint16),
        speech.durations.astype(np.uint8),
        codec.analyse(voice_frames(speech), codec.voice_index(score.voice))[0].numpy().astype(np.float16),
        move(speech, owners, score, key).astype(np.float16),
        speech.f0_hz.astype(np.float16),
        score.function_labels(),
        score.affect_labels(),
        score.phrase_of_words().astype(np.uint8),
        job.voices.index(score.voice),
        score.expressiveness,
        performance.forced,
        line.annotated and not performance.forced,
    )


@dataclass(frozen=True)
class ShardJob:
    """One shard to be made. voices: names in the order of their indices."""

    file: Path
    codec_file: Path
    lines: list[Line]
    voices: tuple[str, ...]
    seed: int


def _build_shard(job: ShardJob) -> int:
    """Worker: one shard from its lines."""
    torch.set_num_threads(1)
    file, (speaker, codec) = job.file, _worker(job.codec_file, job.voices)
    utterances = [_utterance(speaker, codec, line, number, job) for line in job.lines for number in range(len(line.performances))]
    write_shard(file, utterances)
    return len(utterances)


@cache
def _worker(codec_file: Path, voices: tuple[str, ...]) -> tuple[Speaker, AudioCodec]:
    """The worker's own speaker and codec, loaded once per process."""
    from a2llm.components import load_audio_codec

    return Speaker(load_teacher(voices)), load_audio_codec(codec_file)


def build_speech(
    lines: list[Line],
    codec_file: Path,
    out: Path,
    voices: tuple[str, ...],
    seed: int,
    workers: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Make every missing shard in `out`; returns how many shards there are."""
    out.mkdir(parents=True, exist_ok=True)
    chunks = [lines[i : i + SHARD] for i in range(0, len(lines), SHARD)]
    files = [out / f"speech-{index:04d}.npz" for index in range(len(chunks))]
    jobs = [ShardJob(f, codec_file, c, voices, seed) for f, c in zip(files, chunks, strict=True) if not f.exists()]
    done = len(files) - len(jobs)
    with ProcessPoolExecutor(workers) as pool:
        # Not pool.map: interrupted, it cancels what waits, and a pool whose workers have died trips over that.
        for made in as_completed([pool.submit(_build_shard, job) for job in jobs]):
            made.result()
            done += 1
            if on_progress:
                on_progress(done, len(files))
    return len(files)


def read_samples(file: Path) -> list[dict[str, Any]]:
    """The samples of a text.jsonl, as `data.text.Sample` has them. Older folders say `answer` for `response`."""
    samples = [json.loads(line) for line in file.read_text().splitlines()]
    return [{"response" if name == "answer" else name: value for name, value in sample.items()} for sample in samples]
