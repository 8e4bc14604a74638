"""Is the generated speech understood, and is it as lively as the teacher's?

Three voices say the same words with the same affect: the model, the teacher through the audio codec, and the teacher
itself. One judge (Whisper tiny.en) hears all three the same way; one normaliser compares (wer.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from a2llm.affect import AFFECTS
from a2llm.audio_codec.codec import AudioCodec
from a2llm.audio_codec.frames import VOICED_HZ, VoiceFrames
from a2llm.audio_codec.vocoder import Vocoder
from a2llm.clock import EAR_RATE_HZ
from a2llm.data.build import Speaker, voice_frames
from a2llm.data.score import Score
from a2llm.evaluation.clips import TEACHER_SEED, Clip
from a2llm.evaluation.progress import Steps
from a2llm.evaluation.sentences import trained_responses
from a2llm.evaluation.statistics import rounded, share_pct, with_interval
from a2llm.evaluation.stock_ear import StockEar
from a2llm.evaluation.wer import normalise, whisper_normalise, word_errors
from a2llm.layers.quantize import perplexity
from a2llm.resampling import resample

JUDGE_SETTING = "Whisper tiny.en int8 (faster-whisper), beam 5, padded to 30 s, temperature 0, no context"


class Judge:
    """The ear that writes down what it hears. On the teacher's clean speech beam 5 errs least of what was tried
    (5.5% against 6.2% for beam 1, padded or not), and unlike the product's own ear it hides no repeated words."""

    def __init__(self) -> None:
        self._ear = StockEar(beam_size=5, temperature=0.0, condition_on_previous_text=False)

    def hear(self, pcm: np.ndarray, sample_rate_hz: int) -> str:
        """Transcribes float32 [S]; empty for no sound."""
        return self._ear.hear(resample(pcm, sample_rate_hz, EAR_RATE_HZ)) if len(pcm) else ""


@dataclass(frozen=True)
class Rendition:
    """The teacher's speech of one answer's words: plain, and through the codec's codes."""

    plain: np.ndarray  # [S]
    coded: np.ndarray  # [S]
    f0_hz: np.ndarray  # [4T]
    codes: torch.Tensor  # [K, T]


class Teacher:
    """Says an answer's words with its affect."""

    def __init__(self, codec: AudioCodec, vocoder: Vocoder) -> None:
        self._speaker, self._codec, self._vocoder = Speaker(), codec, vocoder

    @torch.inference_mode()
    def say(self, clip: Clip, seed: int) -> Rendition:
        speech, _ = self._speaker.say(Score.plain(clip.text, clip.affect), TEACHER_SEED + seed)
        frames = voice_frames(speech)
        codes = self._codec.quantize(self._codec.analyse(frames))
        coded = self._codec.synthesise(self._codec.dequantize(codes))
        return Rendition(self._wave(frames, seed), self._wave(coded, seed), speech.f0_hz, codes[0])

    def _wave(self, frames: VoiceFrames, seed: int) -> np.ndarray:
        state = self._vocoder.start(seed)
        return self._vocoder.decode(state, frames.hidden[0].numpy(), frames.f0_hz[0].numpy(), last=True)


@dataclass(frozen=True)
class HeardClip:
    """One clip and what the judge heard from the model, the codec and the teacher."""

    clip: Clip
    rendition: Rendition
    said: list[str]
    texts: tuple[str, ...]
    errors: tuple[int, ...]


def listen(clips: Sequence[Clip], codec: AudioCodec, vocoder: Vocoder, steps: Steps, judge: Judge | None = None) -> list[HeardClip]:
    """Have every answer said by all three and heard."""
    judge, teacher, heard = judge or Judge(), Teacher(codec, vocoder), []
    for index, clip in enumerate(clips):
        rendition = teacher.say(clip, index)
        said, rate = normalise(clip.text), clip.sample_rate_hz
        texts = tuple(judge.hear(pcm, rate) for pcm in (clip.pcm, rendition.coded, rendition.plain))
        errors = tuple(word_errors(said, normalise(text)) for text in texts)
        heard.append(HeardClip(clip, rendition, said, texts, errors))
        steps.tick()
    return heard


def semitones(f0_hz: np.ndarray) -> np.ndarray:
    """Pitch of the voiced frames [n], in semitones over 1 Hz."""
    return 12 * np.log2(f0_hz[f0_hz > VOICED_HZ])


def spread_ratio(made: Sequence[np.ndarray], true: Sequence[np.ndarray], picks: np.ndarray, within: bool) -> float:
    """Standard deviation of all voiced frames of the clips drawn, made / true; tracks [T] each. within: about each clip's own mean."""

    def spread(tracks: Sequence[np.ndarray]) -> float:
        chosen = [tracks[i] for i in picks if len(tracks[i])]
        joined = [track - track.mean() for track in chosen] if within else chosen
        return float(np.concatenate(joined).std()) if joined else float("nan")

    return spread(made) / spread(true)


def prosody_by_affect(clips: Sequence[Clip], prefix: str = "") -> dict[str, float]:
    """Mean pitch, its spread and the speaking rate of the answers of each affect that occurs."""
    figures: dict[str, float] = {}
    for name in AFFECTS:
        chosen = [a for a in clips if a.affect.category == name and len(a.pcm)]
        pitch = np.concatenate([semitones(a.f0_hz) for a in chosen]) if chosen else np.zeros(0)
        figures[f"{prefix}clips_{name}"] = len(chosen)
        if len(pitch):
            figures[f"{prefix}f0_mean_hz_{name}"] = float(2 ** (pitch.mean() / 12))
            figures[f"{prefix}f0_std_st_{name}"] = float(pitch.std())
            words, seconds = sum(len(a.text.split()) for a in chosen), sum(a.seconds for a in chosen)
            figures[f"{prefix}rate_words_per_s_{name}"] = words / seconds
    return rounded(figures)


def _word_error_rates(heard: Sequence[HeardClip], seed: int) -> dict[str, float]:
    """By our normaliser and, as `..._whisper_wer_pct`, by Whisper's."""
    words, figures = [len(h.said) for h in heard], {}
    whisper = [whisper_normalise(h.clip.text) for h in heard]
    for place, source in enumerate(("", "codec_", "teacher_")):
        errors = [word_errors(said, whisper_normalise(h.texts[place])) for said, h in zip(whisper, heard, strict=True)]
        figures |= with_interval(f"{source}wer_pct", share_pct([h.errors[place] for h in heard], words), len(heard), seed)
        figures |= with_interval(f"{source}whisper_wer_pct", share_pct(errors, [len(said) for said in whisper]), len(heard), seed)
    return figures


def _pitch(heard: Sequence[HeardClip], seed: int) -> dict[str, float]:
    made, true = [semitones(h.clip.f0_hz) for h in heard], [semitones(h.rendition.f0_hz) for h in heard]
    whole = with_interval("f0_std_ratio", lambda picks: spread_ratio(made, true, picks, False), len(heard), seed)
    within = with_interval("f0_std_within_ratio", lambda picks: spread_ratio(made, true, picks, True), len(heard), seed)
    levels = {"f0_std_st": np.concatenate(made).std(), "teacher_f0_std_st": np.concatenate(true).std()}
    return whole | within | rounded({name: float(value) for name, value in levels.items()})


def voice_report(heard: Sequence[HeardClip], codec: AudioCodec, seed: int) -> dict[str, float | str]:
    """Word error rates with intervals, pitch, rate, code use and the pace of generation."""
    clips, known = [h.clip for h in heard], trained_responses()
    codes = torch.cat([h.rendition.codes for h in heard], dim=1)[None]
    use = perplexity(codes, codec.config.size)
    audio_s = sum(a.seconds for a in clips)
    figures = {
        "words": sum(len(h.said) for h in heard),
        "audio_s": audio_s,
        "duration_ratio": audio_s / (sum(len(h.rendition.plain) for h in heard) / clips[0].sample_rate_hz),
        "frames_per_s": sum(len(a.motion) for a in clips) / 2 / sum(a.compute_s for a in clips),
        "silent_answers": sum(not len(a.pcm) for a in clips),
        "answers_known_from_training": sum(a.text.lower() in known for a in clips),
        **{f"audio_perplexity_{level}": float(value) for level, value in enumerate(use)},
    }
    prosody = prosody_by_affect(clips)
    return {**_word_error_rates(heard, seed), **_pitch(heard, seed), **rounded(figures), **prosody, "judge": JUDGE_SETTING}
