"""How a score is said: pitch accents, ends, tempo, loudness and pauses, laid on what a plain voice does.

`deliver` decides word by word, with the variation of people; the other functions bend arrays of a voice: durations in units of 25 ms
per phone, f0 at 80 Hz, a gain at 80 Hz. They know neither the voice nor the network that made the arrays. P phones, U units, W words.
"""

from dataclasses import dataclass, fields

import numpy as np

from a2llm.audio_codec.frames import VOICED_HZ
from a2llm.data.score import Score, ScorePhrase
from a2llm.data.tunes import AFFECT_TUNES, FUNCTION_TUNES, LIST_END, LIST_ITEM, POINT, WH, YES_NO, Tune, factor
from a2llm.data.visemes import PAUSES, VOWELS

SECOND = 0.6  # weight of a function that stands second
SHOWN = 0.9  # how often the voice takes part in a function
LIMITS = {"range": (-0.9, 0.65), "tempo": (-0.16, 0.34), "pitch_st": (-4.0, 6.0), "gain_db": (-7.0, 7.0), "end_st": (-5.0, 7.0)}
REACH_ST = (-9.0, 14.0)  # of the pitch about its mean
MAX_PAUSE_UNITS = 14.0
LONG_UNITS = 6.0  # of a longer phone the rest is the silence behind it, which a tempo does not stretch
ACCENT_FRAMES = 26  # 325 ms, about the vowel
GLIDE_FRAMES = 8.0  # how softly one word's register becomes the next one's
QUESTION_WORDS = frozenset(("what", "who", "whose", "whom", "where", "when", "why", "how", "which"))


@dataclass(frozen=True)
class Delivery:
    """Each word's deviations from the plain voice, all [W].

    pitch_st, range_log, tempo_log, gain_db: register of the word; accent_st: height of a peak on its stressed vowel, below zero a low
    one; dip_st: how far the pitch falls before it; pause_units: silence before the word; ramp_st: pitch reached at the end of the
    word on a glide from word ramp_from on; fade_db: loss of strength over the word.
    """

    pitch_st: np.ndarray
    range_log: np.ndarray
    tempo_log: np.ndarray
    gain_db: np.ndarray
    accent_st: np.ndarray
    dip_st: np.ndarray
    pause_units: np.ndarray
    ramp_st: np.ndarray
    ramp_from: np.ndarray
    fade_db: np.ndarray


def is_open_question(phrase: ScorePhrase, score: Score) -> bool:
    """A question that asks for more than yes or no, or one that is written as a statement."""
    words = [word.lower().strip(".,!?\"'").split("'")[0] for word in score.words[phrase.start : phrase.end]]
    return bool(QUESTION_WORDS & set(words[:3])) or not score.words[phrase.end - 1].rstrip("\"'").endswith("?")


def in_run(score: Score, index: int, name: str) -> tuple[bool, bool]:
    """Whether the phrase before and the one after have the function, too."""
    phrases = score.phrases
    before = index > 0 and name in phrases[index - 1].functions
    return before, index + 1 < len(phrases) and name in phrases[index + 1].functions


def _special(score: Score, index: int, name: str) -> Tune:
    """The part of a function's tune that depends on where it stands."""
    before, after = in_run(score, index, name)
    if name == "ask":
        return WH if is_open_question(score.phrases[index], score) else YES_NO
    if name == "list":
        return LIST_ITEM if after else LIST_END
    return POINT if name == "joke" and before and not after else Tune()


def phrase_tune(score: Score, index: int, rng: np.random.Generator) -> Tune:
    """Adds up everything that a phrase's affect and functions ask of the voice, as this performance does it."""
    phrase = score.phrases[index]
    tune = AFFECT_TUNES[phrase.affect.category] * (phrase.affect.intensity**0.8 * float(rng.lognormal(0, 0.12)))
    for rank, name in enumerate(phrase.functions):
        share = float(rng.lognormal(0, 0.2)) * (rng.random() < SHOWN) * (SECOND if rank else 1.0)
        tune += (FUNCTION_TUNES[name] + _special(score, index, name)) * share
    tune *= score.expressiveness
    return Tune(**{name: float(np.clip(value, *LIMITS.get(name, (-np.inf, np.inf)))) for name, value in vars(tune).items()})


def deliver(score: Score, rng: np.random.Generator) -> Delivery:
    """Decides how each word is said. The same score and generator state give the same delivery."""
    count = len(score.words)
    made = Delivery(**{field.name: np.zeros(count) for field in fields(Delivery)})
    for index, phrase in enumerate(score.phrases):
        tune = phrase_tune(score, index, rng)
        words = slice(phrase.start, phrase.end)
        made.pitch_st[words], made.range_log[words] = tune.pitch_st, tune.range
        made.tempo_log[words], made.gain_db[words] = tune.tempo, tune.gain_db
        _accent(made, phrase, tune, score.expressiveness, rng)
        _end(made, phrase, tune)
        _pauses(made, score, index, tune, rng)
    made.tempo_log[:] += rng.normal(0, 0.04)
    made.pitch_st[:] += rng.normal(0, 0.2)
    made.range_log[:] += rng.normal(0, 0.05)
    return made


def _accent(made: Delivery, phrase: ScorePhrase, tune: Tune, strength: float, rng: np.random.Generator) -> None:
    """Stressed words: a peak (H* or L+H*), longer and louder; a contrast larger, after a dip, with less range behind it."""
    for word, kind in phrase.stressed.items():
        contrast = kind == "contrast"
        size = strength * float(np.exp(tune.accent)) * float(rng.lognormal(0, 0.2))
        made.accent_st[word] = min(size * (3.3 if contrast else 2.0), 6.5)
        made.dip_st[word] = size * (1.6 if contrast else 0.9 if rng.random() < 0.35 else 0.0)
        made.gain_db[word] += min(size * (2.6 if contrast else 1.5), 5.0)
        made.tempo_log[word] += strength * (factor(1.16 if contrast else 1.08)) + tune.stretch
        if contrast:
            after = slice(word + 1, phrase.end)
            made.range_log[after] -= 0.3 * min(size, 1.3)
            made.pitch_st[after] -= 0.6 * min(size, 1.3)
    if tune.end_st > 3 and phrase.stressed:  # a rise begins low
        made.accent_st[max(phrase.stressed)] *= -0.4


def _end(made: Delivery, phrase: ScorePhrase, tune: Tune) -> None:
    """The movement towards the end of the phrase, from its last stressed word on, and the last word's length."""
    last = phrase.end - 1
    made.ramp_st[last] = tune.end_st
    made.ramp_from[last] = max(phrase.stressed, default=last)
    made.tempo_log[last] += tune.last_stretch
    made.fade_db[last] = tune.breath_db


def _pauses(made: Delivery, score: Score, index: int, tune: Tune, rng: np.random.Generator) -> None:
    """Silence after the phrase, before it, and where somebody who is unsure or thinks looks for a word. Never before the response."""
    phrase, strength = score.phrases[index], min(score.expressiveness, 1.0)
    if phrase.start and len(score.phrases) > 1:
        marked = score.words[phrase.start - 1][-1:] in ",;:.!?"
        made.pause_units[phrase.start] += strength * float(rng.gamma(2.0, 0.5 if marked else 0.8)) + max(tune.pause_before, 0)
    if phrase.end < len(score.words):
        made.pause_units[phrase.end] += max(tune.pause_after, 0) * float(rng.uniform(0.5, 1.3))
    seeks = {"recall": 0.6, "unsure": 0.4}.get(phrase.functions[0] if phrase.functions else "", 0.0)
    sought = [word for word in phrase.stressed if word > phrase.start]
    if sought and rng.random() < seeks:
        made.pause_units[sought[0]] += strength * float(rng.uniform(3, 8))
        made.tempo_log[sought[0] - 1] += strength * factor(1.3)
    made.pause_units[:] = np.minimum(made.pause_units, MAX_PAUSE_UNITS)


def shape_durations(units: np.ndarray, phones: str, words: np.ndarray, delivery: Delivery) -> np.ndarray:
    """Durations [P] of a plain voice -> the score's, float [P], not rounded. words [P]: word of each phone, of the whole response.

    Pauses go to the mark or space before their word; a word that begins these phones gets none (`pause_before`).
    """
    sounding = np.array([phone not in PAUSES for phone in phones])
    tempo = np.where(sounding, delivery.tempo_log[words], np.minimum(delivery.tempo_log[words], 0.1))
    shaped = units + np.minimum(units, LONG_UNITS) * np.expm1(tempo)
    for word in np.unique(words)[1:]:
        start = int(np.argmax(words == word))
        silent = start if not sounding[start] else start - 1
        if delivery.pause_units[word] > 0 and not sounding[silent]:
            shaped[silent] += delivery.pause_units[word]
    return shaped


def pause_before(words: np.ndarray, delivery: Delivery) -> float:
    """Units of silence before the first of these words; none before a response."""
    return float(delivery.pause_units[words[0]]) if len(words) and words[0] > 0 else 0.0


@dataclass(frozen=True)
class Timeline:
    """Phones in time at 80 Hz: frame edges of the phones [P + 1], the phones and their words [P]."""

    edges: np.ndarray
    phones: str
    words: np.ndarray

    @classmethod
    def of(cls, units: np.ndarray, phones: str, words: np.ndarray) -> "Timeline":
        """Lays phones out by their durations [P] in whole units."""
        return cls(2 * np.concatenate(([0], np.cumsum(units))).astype(int), phones, words)

    @property
    def frames(self) -> int:
        return int(self.edges[-1])

    def per_frame(self, values: np.ndarray) -> np.ndarray:
        """Values of words [W] -> [2U], gliding from word to word."""
        steps = np.repeat(values[self.words], np.diff(self.edges))
        reach = int(3 * GLIDE_FRAMES)
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / GLIDE_FRAMES) ** 2)
        return np.convolve(np.pad(steps, reach, mode="edge"), kernel / kernel.sum(), mode="valid") if len(steps) else steps

    def vowel(self, word: int) -> tuple[int, int]:
        """First and last frame of the vowel that carries a word's stress; of the whole word where it has none."""
        places = np.flatnonzero(self.words == word)
        vowels = [p for p in places if self.phones[p] in VOWELS]
        marks = [p for p in places if self.phones[p] == "ˈ"]
        stressed = [p for p in vowels if marks and p > marks[-1]] or vowels
        first, last = (stressed[0], stressed[0]) if stressed else (places[0], places[-1])
        return int(self.edges[first]), int(self.edges[last + 1])

    def span(self, word: int) -> tuple[int, int]:
        """Frames of a word without the pauses at its ends."""
        places = [p for p in np.flatnonzero(self.words == word) if self.phones[p] not in PAUSES]
        return (int(self.edges[places[0]]), int(self.edges[places[-1] + 1])) if places else self.vowel(word)


def _bump(frames: int, centre: float, width: float) -> np.ndarray:
    """A raised cosine of height 1 about `centre`, [frames]."""
    at = np.clip((np.arange(frames) - centre) / width, -0.5, 0.5)
    return 0.5 + 0.5 * np.cos(2 * np.pi * at)


def accents_st(time: Timeline, delivery: Delivery, voiced: np.ndarray) -> np.ndarray:
    """Pitch accents and the glides at the ends of phrases, in semitones [2U]; a glide ends where the voice does (voiced [2U])."""
    out = np.zeros(time.frames)
    for word in np.unique(time.words):
        if delivery.accent_st[word]:
            start, end = time.vowel(word)
            peak = start + 0.6 * (end - start)
            out += delivery.accent_st[word] * _bump(time.frames, peak, ACCENT_FRAMES)
            out -= delivery.dip_st[word] * _bump(time.frames, start - 9, 18)
        if delivery.ramp_st[word]:
            begin = time.vowel(max(int(delivery.ramp_from[word]), int(time.words[0])))[0]
            end = max(begin + 8, begin + int(np.flatnonzero(voiced[begin : time.span(word)[1]])[-1:].sum()))
            share = np.clip((np.arange(time.frames) - begin) / (end - begin), 0, 1)
            out += delivery.ramp_st[word] * share**1.5 * (np.arange(time.frames) < end + 4)
    return out


def shape_pitch(f0_hz: np.ndarray, time: Timeline, delivery: Delivery) -> np.ndarray:
    """Pitch [2U] of a plain voice, said with these durations -> the score's, float32 [2U]; unvoiced frames stay as they are."""
    voiced = f0_hz > VOICED_HZ
    if not voiced.any():
        return f0_hz.astype(np.float32)
    tones = 12 * np.log2(np.maximum(f0_hz, VOICED_HZ))
    mean = tones[voiced].mean()
    spread = np.exp(time.per_frame(delivery.range_log))
    moved = (tones - mean) * spread + time.per_frame(delivery.pitch_st) + accents_st(time, delivery, voiced) * spread**0.5
    return np.where(voiced, 2 ** ((mean + np.clip(moved, *REACH_ST)) / 12), f0_hz).astype(np.float32)


def shape_gain(time: Timeline, delivery: Delivery) -> np.ndarray:
    """Gain over the plain voice in dB, float32 [2U]."""
    gain = time.per_frame(delivery.gain_db)
    for word in np.unique(time.words):
        if delivery.fade_db[word]:
            start, end = time.span(word)
            gain -= delivery.fade_db[word] * np.clip((np.arange(time.frames) - start) / max(end - start, 1), 0, 1)
    return gain.astype(np.float32)
