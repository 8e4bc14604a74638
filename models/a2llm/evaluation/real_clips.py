"""Recordings of a real face with its voice, as the teacher can be held against them: a folder of a face tracker's output.

FOLDER holds `motion.npz` (ids, lengths, names, motion [F, 61] joined, fps; `motion_image_mode.npz` is preferred, since it is not smoothed),
`landmarks.npz` (ids, lengths, index, xy32 [n, 2, F]: pixels x 32 of mesh points, negative where none), `words.jsonl.gz`
({"id", "words": [[start_s, end_s, word]]}) and a tar of ID.opus. The README of the data names the origin; nothing of it is kept here.
Phones come from the text, their shares of a word's real time from the voice teacher.
"""

import gzip
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2llm.data.articulation import SHORT_PAUSE_FRAMES
from a2llm.evaluation.clips import energy_db
from a2llm.rig import ARKIT61
from a2llm.sound_files import read_audio

RATE_HZ = 24_000
SILENCE = ("sil", "sp")
EYE_CORNERS, INNER_LIP, LIP_CORNERS = (33, 263), (13, 14), (61, 291)  # points of MediaPipe's mesh
EYE_CORNERS_MM = 90.0  # between the outer corners of an adult's eyes: turns pixels into millimetres, to within some percent
MAX_UNITS = 60


@dataclass(frozen=True)
class SpokenWord:
    """A word and when it was said, in seconds."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class RealClip:
    """One recording. P phones over U units of 25 ms, F frames of the camera.

    energy_db [2U]; jaw [F] above rest, gap and width of the lips [F] in mm, head [F, 3] in radians (yaw, pitch, roll) about their mean.
    """

    name: str
    words: tuple[SpokenWord, ...]
    phones: str
    durations: np.ndarray  # [P]
    owners: np.ndarray  # [P] word of each phone
    energy_db: np.ndarray
    fps: float
    jaw: np.ndarray
    gap_mm: np.ndarray
    width_mm: np.ndarray
    head: np.ndarray

    def frame_times(self) -> np.ndarray:
        """The middle of each camera frame in seconds [F]."""
        return (np.arange(len(self.jaw)) + 0.5) / self.fps

    def word_of_frames(self) -> np.ndarray:
        """Index of the word that is being said at each frame, -1 in silence: int [F]."""
        at, out = self.frame_times(), np.full(len(self.jaw), -1)
        for index, word in enumerate(self.words):
            out[(at >= word.start_s) & (at < word.end_s)] = index
        return out


Shares = Callable[[list[str]], tuple[str, np.ndarray, np.ndarray]]
"""Words -> their phones, plain durations in units [P] and the word of each phone [P], as a voice would say them."""


def timed_phones(words: tuple[SpokenWord, ...], units: int, shares: Shares) -> tuple[str, np.ndarray, np.ndarray]:
    """Phones, durations [P] and owners [P] of a clip of `units`: a word's phones fill its real time in the voice's proportions."""
    phones, plain, owners = shares([word.text for word in words])
    edges = [round(words[0].start_s * 40)]
    durations = np.zeros(len(phones), int)
    for index, word in enumerate(words):
        sounding = [p for p in np.flatnonzero(owners == index) if phones[p] != " "]
        gap = [p for p in np.flatnonzero(owners == index) if phones[p] == " "]
        start, end = max(round(word.start_s * 40), edges[-1]), round(word.end_s * 40)
        durations[gap[:1] or sounding[:1]] += start - edges[-1]
        ends = start + np.round(np.cumsum(np.maximum(plain[sounding], 0.2)) / np.maximum(plain[sounding], 0.2).sum() * (end - start))
        durations[sounding] += np.diff(np.concatenate(([start], ends))).astype(int)
        edges.append(max(end, start))
    lead, tail = round(words[0].start_s * 40), max(units - edges[-1], 0)
    return f" {phones} ", np.array([lead, *durations, tail]), np.array([0, *owners, owners[-1]])


def _mm(points: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[0] - points[1], axis=0) * scale


def _filled(track: np.ndarray) -> np.ndarray:
    """A track [F] whose missing frames are interpolated."""
    known = np.flatnonzero(np.isfinite(track))
    return np.interp(np.arange(len(track)), known, track[known]) if len(known) else np.zeros(len(track))


def _lips(landmarks: dict[str, np.ndarray], frames: slice) -> tuple[np.ndarray, np.ndarray]:
    """Inner lip gap and mouth width [F] in mm."""
    where = {int(point): place for place, point in enumerate(landmarks["index"])}
    xy = landmarks["xy32"][:, :, frames].astype(np.float64) / 32
    xy[xy < 0] = np.nan

    def pair(names: tuple[int, int]) -> np.ndarray:
        return xy[[where[names[0]], where[names[1]]]]

    scale = EYE_CORNERS_MM / np.nanmedian(np.linalg.norm(np.diff(pair(EYE_CORNERS), axis=0)[0], axis=0))
    ones = np.full(xy.shape[2], scale)
    return _filled(_mm(pair(INNER_LIP), ones)), _filled(_mm(pair(LIP_CORNERS), ones))


def _rows(ids: np.ndarray, lengths: np.ndarray) -> dict[str, slice]:
    ends = np.cumsum(lengths)
    return {str(name): slice(int(end - length), int(end)) for name, length, end in zip(ids, lengths, ends, strict=True)}


def _read_words(folder: Path) -> dict[str, tuple[SpokenWord, ...]]:
    rows = [json.loads(line) for line in gzip.decompress((folder / "words.jsonl.gz").read_bytes()).splitlines()]
    return {row["id"]: tuple(SpokenWord(w, s, e) for s, e, w in row["words"] if w not in SILENCE) for row in rows}


def read_clips(folder: Path, shares: Shares, every: int = 1) -> Iterator[RealClip]:
    """Every `every`-th clip of the folder. Raises ValueError for a folder that lacks a file, or has no clip."""
    file = next((f for f in (folder / "motion_image_mode.npz", folder / "motion.npz") if f.exists()), None)
    sounds = next(iter(folder.glob("*.tar")), None)
    if file is None or sounds is None or not (folder / "landmarks.npz").exists() or not (folder / "words.jsonl.gz").exists():
        raise ValueError(f"{folder} is no folder of clips: it needs motion.npz, landmarks.npz, words.jsonl.gz and a tar of sounds")
    motion, landmarks, words = dict(np.load(file)), dict(np.load(folder / "landmarks.npz")), _read_words(folder)
    moves, points = _rows(motion["ids"], motion["lengths"]), _rows(landmarks["ids"], landmarks["lengths"])
    names = [name for name in moves if words.get(name) and name in points][::every]
    if not names:
        raise ValueError(f"{folder} holds no clip with motion, landmarks and words")
    with tarfile.open(sounds) as tar, tempfile.TemporaryDirectory() as temporary:
        members = {Path(member.name).stem: member for member in tar.getmembers() if member.isfile()}
        for name in names:
            tar.extract(members[name], temporary, filter="data")
            pcm = read_audio(Path(temporary) / members[name].name, sample_rate_hz=RATE_HZ).pcm
            yield _clip(name, motion, moves[name], _lips(landmarks, points[name]), pcm, words[name], shares)


def _clip(
    name: str,
    motion: dict[str, np.ndarray],
    rows: slice,
    lips: tuple[np.ndarray, np.ndarray],
    pcm: np.ndarray,
    words: tuple[SpokenWord, ...],
    shares: Shares,
) -> RealClip:
    frames = rows.stop - rows.start
    fps, coefs = float(motion["fps"]), motion["motion"][rows].astype(np.float64)
    units = int(frames / fps * 40)
    phones, durations, owners = timed_phones(words, units, shares)
    head = np.stack([_filled(coefs[:, i]) for i in ARKIT61.group("head")], axis=1)
    jaw = _filled(coefs[:, ARKIT61.index("jawOpen")])
    quiet = max(int(words[0].start_s * fps) - SHORT_PAUSE_FRAMES, 3)
    gap, width = (track[:frames] for track in lips)
    loud = energy_db(pcm, 2 * int(durations.sum()))
    return RealClip(
        *(name, words, phones, durations, owners, loud, fps),
        *(jaw - np.median(jaw[:quiet]), gap, width - np.median(width[:quiet]), head - head.mean(0)),
    )
