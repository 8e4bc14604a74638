"""Prosody: what the voice carries and the transcript does not, as one vector per utterance.

Every feature is a ratio, a slope or a difference, so that the microphone's level drops out; pitch is in semitones, so that a low and
a high voice share a scale. The feature set follows the families of GeMAPS (Eyben et al. 2016); the formulas are ours.
"""

import itertools

import numpy as np

from a2llm.clock import EAR_RATE_HZ
from a2llm.listening.pitch import HOP_SAMPLES, PitchTrack, track_pitch, windows_of

FEATURES = tuple(
    """
    f0_median_st f0_low_st f0_range_st f0_std_st f0_up_st f0_slope_st_s f0_speed_st_s f0_end_st f0_end_slope_st
    level_std_db level_range_db level_slope_db_s level_up_db level_rise_db level_fall_db voiced_share syllables_hz
    modulation_slow modulation_mid modulation_fast voiced_run_s tilt_db_oct alpha_db hammarberg_db hiss_db centroid_st
    loud_tilt_db_oct hnr_db hnr_std_db jitter_pct shimmer_db band_1_db band_2_db band_3_db band_4_db
    """.split()
)
_FRAME_HZ = EAR_RATE_HZ / HOP_SAMPLES
_FFT = 1024


def prosody(pcm: np.ndarray) -> np.ndarray:
    """Speech float32 [S] at 16 kHz, silence around it trimmed -> float32 [len(FEATURES)].

    Sound without any voicing gives zeros for the pitch and voice-quality features.
    """
    pcm = pcm / (np.abs(pcm).max(initial=0.0) + 1e-6)  # so that the floors below the logarithms mean the same for every microphone
    track = track_pitch(pcm)
    speech = track.level_db > np.percentile(track.level_db, 95) - 30.0
    power = _voiced_power(pcm, track)
    values = [*_pitch(track), *_level(track, speech), *_rate(track, speech), *_spectrum(power), *_quality(track), *_bands(power)]
    return np.nan_to_num(np.asarray(values, np.float32))


def _pitch(track: PitchTrack) -> list[float]:
    at = np.flatnonzero(track.f0_hz)
    if len(at) < 8:
        return [0.0] * 9
    st = _smooth(12 * np.log2(track.f0_hz[at] / 100.0), 5)
    low, middle, high = np.percentile(st, [8, 50, 92])
    neighbours = np.diff(at) == 1
    speed = np.abs(np.diff(st))[neighbours].mean() * _FRAME_HZ if neighbours.any() else 0.0
    end = st[-max(6, len(st) // 6) :]
    ending = [end.mean() - middle, end[-3:].mean() - end[:3].mean()]
    return [middle, low, high - low, st.std(), st.max() - middle, _slope(st, at), speed, *ending]


def _level(track: PitchTrack, speech: np.ndarray) -> list[float]:
    level = track.level_db[speech]
    low, middle, high = np.percentile(level, [10, 50, 95])
    change = np.diff(_smooth(track.level_db, 3)) * _FRAME_HZ / 100
    rise, fall = change[change > 0], change[change < 0]
    times = np.flatnonzero(speech)
    return [level.std(), high - low, _slope(level, times), high - middle, _mean(rise), _mean(fall)]


def _rate(track: PitchTrack, speech: np.ndarray) -> list[float]:
    """Speaking rate without words: bumps of the energy envelope, and its modulation spectrum."""
    span_s = np.ptp(np.flatnonzero(speech)) / _FRAME_HZ + 0.1
    envelope = _smooth(np.maximum(track.level_db, track.level_db.max() - 40), 7)
    bumps = (envelope[1:-1] > envelope[:-2]) & (envelope[1:-1] >= envelope[2:]) & (envelope[1:-1] > envelope.max() - 20)
    voiced = track.f0_hz > 0
    runs = max(1, int((np.diff(voiced.astype(int)) == 1).sum()))
    return [voiced[speech].mean(), bumps.sum() / span_s, *_modulation(envelope), voiced.sum() / runs / _FRAME_HZ]


def _modulation(envelope: np.ndarray) -> list[float]:
    power = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)), 1024)) ** 2
    hz = np.fft.rfftfreq(1024, 1 / _FRAME_HZ)
    total = power[(hz > 0.5) & (hz < 16)].sum() + 1e-9
    return [float(power[(hz >= a) & (hz < b)].sum() / total) for a, b in ((0.5, 3), (3, 6), (6, 16))]


def _voiced_power(pcm: np.ndarray, track: PitchTrack) -> np.ndarray:
    """Power spectra of the voiced frames (of all frames where none is voiced), every second one, [F, 513]."""
    chosen = np.flatnonzero(track.f0_hz)
    chosen = chosen[::2] if len(chosen) > 4 else np.arange(len(track.f0_hz))
    frames = windows_of(pcm)[chosen]
    return np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]).astype(np.float32), _FFT, axis=1)) ** 2


def _spectrum(power: np.ndarray) -> list[float]:
    hz = np.fft.rfftfreq(_FFT, 1 / EAR_RATE_HZ)
    mean = power.mean(0) + 1e-12
    loud = power[power.sum(1) >= np.percentile(power.sum(1), 70)].mean(0) + 1e-12
    alpha = _ratio_db(mean, hz, (50, 1000), (1000, 5000))
    hammarberg = _db(mean[(hz < 2000)].max() / mean[(hz >= 2000) & (hz < 5000)].max())
    centroid = 12 * np.log2((mean * hz)[hz > 60].sum() / mean[hz > 60].sum() / 500)
    return [_tilt(mean, hz), alpha, hammarberg, _ratio_db(mean, hz, (50, 5000), (5000, 8000)), centroid, _tilt(loud, hz)]


def _bands(power: np.ndarray) -> list[float]:
    """A coarse long-term spectrum: it tells voices apart, so that the head can judge a pitch against the vocal tract it comes from."""
    mean = power.mean(0) + 1e-12
    hz = np.fft.rfftfreq(_FFT, 1 / EAR_RATE_HZ)
    return [_ratio_db(mean, hz, span, (50, 8000)) for span in ((100, 500), (500, 1200), (1200, 2300), (2300, 3800))]


def _quality(track: PitchTrack) -> list[float]:
    """Harmonics to noise, and how much pitch and level shake from frame to frame (not true cycle jitter)."""
    voiced = track.f0_hz > 0
    inner = voiced[:-2] & voiced[1:-1] & voiced[2:]
    if inner.sum() < 5:
        return [0.0] * 4
    hnr = 10 * np.log10(track.strength[voiced] / (1 - track.strength[voiced]) + 1e-3)
    return [hnr.mean(), hnr.std(), 100 * _shake(np.log(np.maximum(track.f0_hz, 1)))[inner].mean(), _shake(track.level_db)[inner].mean()]


def _shake(values: np.ndarray) -> np.ndarray:
    """Distance of each inner value from the mean of its neighbours, [F - 2]."""
    return np.abs(values[1:-1] - 0.5 * (values[:-2] + values[2:]))


def _tilt(mean: np.ndarray, hz: np.ndarray) -> float:
    """Slope of the spectrum from 200 Hz to 6 kHz in dB per octave, over third-octave bands."""
    edges = 200 * 2 ** (np.arange(16) / 3)
    bands = [_db(mean[(hz >= a) & (hz < b)].mean()) for a, b in itertools.pairwise(edges)]
    return float(np.polyfit(np.arange(15) / 3, bands, 1)[0])


def _ratio_db(mean: np.ndarray, hz: np.ndarray, over: tuple[int, int], under: tuple[int, int]) -> float:
    top, bottom = (mean[(hz >= a) & (hz < b)].sum() for a, b in (over, under))
    return _db(top / bottom)


def _db(ratio: float) -> float:
    return float(10 * np.log10(ratio + 1e-12))


def _slope(values: np.ndarray, frames: np.ndarray) -> float:
    return float(np.polyfit(frames / _FRAME_HZ, values, 1)[0]) if len(values) > 5 else 0.0


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    half = width // 2
    return np.convolve(np.pad(values, half, mode="edge"), np.ones(width) / width, mode="valid")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0
