"""Transcribes the user's speech: Whisper tiny.en on CTranslate2, int8, greedy.

A clip stands between 0.3 s and 4 s of silence instead of being padded to 30 s: most of Whisper's cost on a short question is the
padding, and the word error rate is the same. Clips over 28 s are cut at pauses. English only; no timestamps.
"""

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2llm import weights
from a2llm.clock import EAR_RATE_HZ
from a2llm.layers.threads import THREADS
from a2llm.listening.mel import HOP_SAMPLES, log_mel
from a2llm.listening.repetition import collapse_loops, drop_echo, has_loop
from a2llm.listening.vad import SileroVad
from a2llm.vad_network import WINDOW_SAMPLES

LONGEST_PART_S = 28.0
# Measured on tests/data/questions, word error rate: whole 30 s 5.0%; lead 0.3 + tail 4 s 5.0%; 0.3 + 3 s 6.4%; without a lead 11-33%,
# because the ear then says the sentence again.
_LEAD_S = 0.3
_TAIL_S = 4.0
_CONTEXT_S = 30.0
# Fast English is about 5 words or 7 tokens a second; more than this is a loop.
_TOKENS_PER_S = 8
_TOKENS_SPARE = 12


@dataclass(frozen=True)
class Transcript:
    """avg_logprob: mean log-probability of a token (below about -1 is a guess). no_speech_prob: 0..1, Whisper's own."""

    text: str
    avg_logprob: float
    no_speech_prob: float
    compute_ms: float


class Transcriber:
    """The model; one instance serves many clips, `workers` of them at a time. Each one by itself: a batch of eight costs a CPU four
    fifths as much for each, and the padding to one length changed the words of 3 clips in 48.

    model_path: folder of a CTranslate2 Whisper with its tokenizer.json; None takes the installed tiny.en.

    Raises WeightsError where that is missing.
    """

    def __init__(
        self,
        model_path: Path | None = None,
        threads: int = THREADS,
        tail_s: float = _TAIL_S,
        vad: SileroVad | None = None,
        workers: int = 1,
    ) -> None:
        import ctranslate2
        from tokenizers import Tokenizer

        folder = model_path or weights.resolve("ear")
        pool = {"intra_threads": threads, "inter_threads": workers}
        self._model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", **pool)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._prompt = [self._tokenizer.token_to_id(name) for name in ("<|startoftranscript|>", "<|notimestamps|>")]
        self._end_id = self._tokenizer.token_to_id("<|endoftext|>")
        self._tail_s = tail_s
        self._vad = vad or SileroVad()

    @property
    def workers(self) -> int:
        """Clips that are read at the same time; others wait."""
        return self._model.num_workers

    def transcribe(self, pcm: np.ndarray) -> Transcript:
        """Sound float32 [S] at 16 kHz, of any length -> what was said (empty text where nothing was)."""
        started = time.perf_counter()
        cuts = [0, *self._cuts(pcm), len(pcm)]
        parts = [self._part(pcm[a:b]) for a, b in itertools.pairwise(cuts)]
        return join_transcripts(parts, (time.perf_counter() - started) * 1000)

    def _cuts(self, pcm: np.ndarray) -> list[int]:
        if len(pcm) <= LONGEST_PART_S * EAR_RATE_HZ:
            return []
        return [window * WINDOW_SAMPLES for window in pause_cuts(self._vad.probabilities(pcm))]

    def _part(self, pcm: np.ndarray) -> Transcript:
        """One part of at most 28 s; read again with a ban on repeats when it loops."""
        if len(pcm) < EAR_RATE_HZ // 10:
            return Transcript("", 0.0, 1.0, 0.0)
        encoded = self._encode(pcm)
        most_tokens = _TOKENS_SPARE + int(_TOKENS_PER_S * len(pcm) / EAR_RATE_HZ)
        heard = self._decode(encoded, most_tokens, no_repeat=0)
        text = drop_echo(heard.text)
        if has_loop(text):
            heard = self._decode(encoded, most_tokens, no_repeat=4)
            text = collapse_loops(drop_echo(heard.text))
        return Transcript(text, heard.avg_logprob, heard.no_speech_prob, heard.compute_ms)

    def _encode(self, pcm: np.ndarray) -> object:
        import ctranslate2

        lead = int(_LEAD_S * EAR_RATE_HZ)
        tail_s = min(self._tail_s, _CONTEXT_S - _LEAD_S - len(pcm) / EAR_RATE_HZ)
        even = 2 * HOP_SAMPLES  # the encoder halves the frames
        total = (lead + len(pcm) + int(tail_s * EAR_RATE_HZ)) // even * even
        features = log_mel(np.pad(pcm, (lead, total - lead - len(pcm))))  # [80, F]
        return self._model.encode(ctranslate2.StorageView.from_array(features[None]))

    def _decode(self, encoded: object, most_tokens: int, no_repeat: int) -> Transcript:
        limits = {"max_length": most_tokens + len(self._prompt), "no_repeat_ngram_size": no_repeat}
        flags = {"beam_size": 1, "return_scores": True, "return_no_speech_prob": True}
        result = self._model.generate(encoded, [self._prompt], **limits, **flags)[0]
        ids = [token for token in result.sequences_ids[0] if token < self._end_id]
        # The score is already a mean over the tokens (length penalty 1), with the end token counted apart.
        return Transcript(self._tokenizer.decode(ids).strip(), result.scores[0] * len(ids) / (len(ids) + 1), result.no_speech_prob, 0.0)


def join_transcripts(parts: list[Transcript], compute_ms: float) -> Transcript:
    """One transcript of several parts in order; the scores are means weighted by text length."""
    spoken = [part for part in parts if part.text]
    if not spoken:
        return Transcript("", 0.0, max((part.no_speech_prob for part in parts), default=1.0), compute_ms)
    weights = [len(part.text) for part in spoken]
    logprob = float(np.average([part.avg_logprob for part in spoken], weights=weights))
    silent = float(np.average([part.no_speech_prob for part in spoken], weights=weights))
    return Transcript(" ".join(part.text for part in spoken), logprob, silent, compute_ms)


def pause_cuts(probabilities: np.ndarray, longest_s: float = LONGEST_PART_S) -> list[int]:
    """Windows at which to cut so that no part is longer than longest_s: the quietest 0.3 s in the second half of each part.

    probabilities: speech per window, [N].
    """
    longest = int(longest_s * EAR_RATE_HZ / WINDOW_SAMPLES)
    smooth = np.convolve(probabilities, np.ones(9) / 9, mode="same")
    cuts, start = [], 0
    while len(probabilities) - start > longest:
        start = start + longest // 2 + int(np.argmin(smooth[start + longest // 2 : start + longest]))
        cuts.append(start)
    return cuts
