"""One spoken turn, from sound to what the language model needs: the words and how they were said."""

import time
from dataclasses import dataclass
from pathlib import Path

from a2llm.layers.threads import THREADS
from a2llm.listening.incremental import IncrementalTranscriber
from a2llm.listening.transcriber import Transcriber, Transcript
from a2llm.listening.user_affect import STRANGER, AffectReading, UserAffect, Usual
from a2llm.listening.vad import NoSpeechError, Segment, SileroVad
from a2llm.sound_files import AudioClip, read_audio

# Both together mean that Whisper guessed words into noise that slipped through the VAD.
_GUESS_LOGPROB = -1.0
_GUESS_SILENCE = 0.6


@dataclass(frozen=True)
class ListenResult:
    """Understanding of one turn. transcript: the words. voice: how they sounded. segments: where they are, in samples at 16 kHz.
    compute_ms: time of the whole. usual: hand it in with the same speaker's next turn."""

    transcript: Transcript
    voice: AffectReading
    usual: Usual
    segments: tuple[Segment, ...]
    compute_ms: float


class Listener:
    """VAD, speech recogniser and affect head, loaded once."""

    def __init__(self, ear: Path | None = None, affect_weights: Path | None = None, threads: int = THREADS, workers: int = 1) -> None:
        self.vad = SileroVad()
        self.transcriber = Transcriber(ear, threads, vad=self.vad, workers=workers)
        self.user_affect = UserAffect(affect_weights)

    def hear_file(self, path: str | Path, usual: Usual = STRANGER) -> ListenResult:
        """Hears a sound file of one turn. Raises AudioInputError or NoSpeechError, each with one sentence for the user."""
        return self.hear(read_audio(path), usual)

    def hear(self, clip: AudioClip, usual: Usual = STRANGER) -> ListenResult:
        """Hears a clip at 16 kHz; usual: how this speaker sounded in earlier turns. Raises NoSpeechError if nobody speaks."""
        started = time.perf_counter()
        segments = self.vad.speech_segments(clip.pcm)
        if not segments:
            raise NoSpeechError("no speech was heard: the recording is silent or holds only noise")
        spoken = clip.pcm[segments[0].start_samples : segments[-1].end_samples]
        transcript = self.transcriber.transcribe(spoken)
        if not transcript.text or is_guess(transcript):
            raise NoSpeechError("no words could be made out in the recording")
        voice, usual = self.user_affect.follow(spoken, usual)
        return ListenResult(transcript, voice, usual, tuple(segments), (time.perf_counter() - started) * 1000)

    def open_stream(self) -> IncrementalTranscriber:
        """Hear a turn while it is spoken."""
        return IncrementalTranscriber(self.transcriber, self.vad)


def is_guess(transcript: Transcript) -> bool:
    """Whether the words were guessed into noise."""
    return transcript.avg_logprob < _GUESS_LOGPROB and transcript.no_speech_prob > _GUESS_SILENCE
