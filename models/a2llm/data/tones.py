"""Lays an affect on plain speech, and another microphone: what training hears of an angry or sad user.

The rules follow averages of the literature; no recorded emotional speech is used. They know no clip and no voice.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.clock import EAR_RATE_HZ
from a2llm.listening.pitch import HOP_SAMPLES, track_pitch


@dataclass(frozen=True)
class Tone:
    """Effect of an affect on a voice at full intensity, relative to plain speech.

    shift_st moves the pitch, range_factor widens it about its median, end_st bends the last quarter, rate_factor is tempo,
    tilt_db_oct is vocal effort heard as brightness, dynamics_factor widens the level contour, breath is noise, shake is
    cycle-to-cycle pitch disorder. Loudness itself is absent: a microphone's gain hides it.
    """

    shift_st: float = 0.0
    range_factor: float = 1.0
    end_st: float = 0.0
    rate_factor: float = 1.0
    tilt_db_oct: float = 0.0
    dynamics_factor: float = 1.0
    breath: float = 0.0
    shake: float = 0.0


# Directions and rough sizes after Banse & Scherer 1996, Burkhardt & Sendlmeier 2000 and Juslin & Laukka 2003 (hot anger,
# elated joy, quiet sadness); surprise, which those treat less, after its rise in pitch towards the end.
TONES = {
    "neutral": Tone(),
    "joy": Tone(3.5, 1.5, 0.5, 1.10, 1.2, 1.10, 0.0, 0.0),
    "sadness": Tone(-2.0, 0.55, -1.5, 0.80, -2.2, 0.80, 0.035, 0.010),
    "anger": Tone(1.0, 1.25, -2.5, 1.16, 2.8, 1.35, 0.0, 0.022),
    "surprise": Tone(4.5, 1.6, 6.0, 0.94, 0.6, 1.0, 0.012, 0.0),
}
# How much two people differ in showing the same thing: spread of each field of Tone.
_SPREAD = Tone(0.8, 0.13, 0.9, 0.06, 0.5, 0.08, 0.006, 0.003)


def tone_of(affect: str, intensity: float, rng: np.random.Generator) -> Tone:
    """The affect's tone at an intensity in 0..1, plus personal variation (which plain speech has as well)."""
    plain = Tone()
    fields = {}
    for name, full in vars(TONES[affect]).items():
        base = getattr(plain, name)
        fields[name] = base + intensity * (full - base) + rng.normal(0, getattr(_SPREAD, name))
    fields |= {"breath": max(0.0, fields["breath"]), "shake": max(0.0, fields["shake"])}
    return Tone(**fields)


def colour(pcm: np.ndarray, tone: Tone, rng: np.random.Generator) -> np.ndarray:
    """Speech float32 [S] at 16 kHz -> the same words in that tone, float32 [about S / rate_factor].

    Pitch and tempo by pitch-synchronous overlap-add (Moulines & Charpentier 1990); tilt, dynamics and breath as filters.
    """
    track = track_pitch(pcm)
    shaped = _overlap_add(pcm, _cycles(pcm, track.f0_hz), _pitch_ratio(track.f0_hz, tone), tone, rng)
    shaped = _widen_dynamics(_tilted(shaped, tone.tilt_db_oct), tone.dynamics_factor)
    shaped = shaped + tone.breath * _breath(shaped, rng)
    return (0.5 * shaped / (np.abs(shaped).max() + 1e-9)).astype(np.float32)


def _pitch_ratio(f0_hz: np.ndarray, tone: Tone) -> np.ndarray:
    """Factor on the pitch per frame, [F]."""
    voiced = f0_hz > 0
    if not voiced.any():
        return np.ones(len(f0_hz))
    frames = np.arange(len(f0_hz))
    st = np.interp(frames, frames[voiced], 12 * np.log2(f0_hz[voiced]))
    span = np.ptp(frames[voiced]) + 1
    ending = np.clip((frames - frames[voiced][0]) / span * 4 - 3, 0, 1)
    change_st = tone.shift_st + (tone.range_factor - 1) * (st - np.median(st[voiced])) + tone.end_st * ending
    return np.clip(2 ** (change_st / 12), 0.5, 2.1)


def _cycles(pcm: np.ndarray, f0_hz: np.ndarray) -> np.ndarray:
    """Marks and lengths of the glottal cycles, int [2, N]; every 5 ms where unvoiced."""
    low = np.convolve(pcm, np.hanning(17) / 8, mode="same")
    marks, at = [], 0
    while at < len(pcm):
        f0 = f0_hz[min(at // HOP_SAMPLES, len(f0_hz) - 1)]
        period = int(EAR_RATE_HZ / f0) if f0 else 80
        if f0:
            start = max(0, at - period // 5)
            at = start + int(np.argmax(low[start : at + period // 5 + 1]))
        marks.append((at, period))
        at += max(period, 16)
    return np.asarray(marks, int).T


def _overlap_add(pcm: np.ndarray, cycles: np.ndarray, ratio: np.ndarray, tone: Tone, rng: np.random.Generator) -> np.ndarray:
    marks, periods = cycles
    length = int(len(pcm) / tone.rate_factor)
    out, weight = np.zeros(length + 1000), np.full(length + 1000, 1e-2)
    padded = np.pad(pcm, 600)
    at = 0.0
    while at < length:
        source = min(int(at * tone.rate_factor), len(pcm) - 1)
        nearest = int(np.abs(marks - source).argmin())
        period = int(periods[nearest])
        grain = np.hanning(2 * period + 1)
        first = int(at) - period + 400
        centre = int(marks[nearest]) + 600
        if first >= 0 and first + len(grain) <= len(out):
            out[first : first + len(grain)] += grain * padded[centre - period : centre + period + 1]
            weight[first : first + len(grain)] += grain
        voiced = period != 80
        step = period / ratio[min(source // HOP_SAMPLES, len(ratio) - 1)] if voiced else period
        at += max(12.0, step * (1 + tone.shake * rng.normal() * voiced))
    return (out / np.maximum(weight, 0.3))[400 : 400 + length]


def _tilted(pcm: np.ndarray, db_oct: float) -> np.ndarray:
    spectrum = np.fft.rfft(pcm)
    hz = np.clip(np.fft.rfftfreq(len(pcm), 1 / EAR_RATE_HZ), 150, 6000)
    return np.fft.irfft(spectrum * 10 ** (db_oct * np.log2(hz / 800) / 20), len(pcm))


def _envelope(pcm: np.ndarray) -> np.ndarray:
    return np.sqrt(np.convolve(pcm**2, np.hanning(801) / 400, mode="same").clip(0) + 1e-8)


def _widen_dynamics(pcm: np.ndarray, factor: float) -> np.ndarray:
    envelope = _envelope(pcm)
    middle = np.median(envelope[envelope > 0.1 * envelope.max()])
    gain = np.clip(envelope / middle, 0.1, 4.0) ** (factor - 1)
    return pcm * gain


def _breath(pcm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise that follows the voice, without its lowest octaves."""
    noise = np.diff(rng.normal(size=len(pcm) + 1))
    return noise * _envelope(pcm) * 2


def other_microphone(pcm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another microphone and room, float32 [S]: gain, a tilt of up to 1 dB per octave, steady noise 18-45 dB below the speech."""
    heard = _tilted(pcm, rng.uniform(-1, 1))
    noise = _tilted(rng.normal(size=len(heard)), rng.uniform(-4, 0))
    level = np.sqrt((heard**2).mean()) * 10 ** (-rng.uniform(18, 45) / 20) / noise.std()
    return np.clip((heard + level * noise) * 10 ** (rng.uniform(-12, 3) / 20), -1, 1).astype(np.float32)
