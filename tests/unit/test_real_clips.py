"""A folder of clips is read as it is laid down: times, lips in millimetres, and what is missing is said."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import av
import numpy as np
import pytest

from a2llm.evaluation.real_clips import RealClip, SpokenWord, read_clips, timed_phones
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit

FPS, FRAMES = 25, 50
POINTS = (33, 263, 13, 14, 61, 291)


def shares(words: list[str]) -> tuple[str, np.ndarray, np.ndarray]:
    """Letters for phones, all equally long."""
    phones = " ".join(words)
    return phones, np.ones(len(phones)), np.cumsum([letter == " " for letter in phones])


def opus(pcm: np.ndarray) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=24_000, layout="mono")
        frame = av.AudioFrame.from_ndarray((pcm[None] * 32767).astype(np.int16), layout="mono")
        frame.sample_rate = 24_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()


def write_folder(folder: Path, jaw: np.ndarray, gap_px: np.ndarray, missing: int = -1) -> Path:
    """A clip called `one`: a man who says "bab ab" and opens his mouth as told, eyes 180 px apart (so 0.5 mm a pixel)."""
    motion = np.zeros((FRAMES, 61), np.float16)
    motion[:, ARKIT61.index("jawOpen")] = jaw + 0.1
    motion[:, ARKIT61.index("headYaw")] = 0.2
    ids, lengths = np.array(["one"]), np.array([FRAMES])
    np.savez(folder / "motion.npz", ids=ids, lengths=lengths, names=np.array(ARKIT61.names), motion=motion, fps=np.float32(FPS))
    xy = np.zeros((len(POINTS), 2, FRAMES))
    xy[:, 0] = np.array([100, 280, 190, 190, 160, 220])[:, None]
    xy[:, 1] = 200
    xy[3, 1] += gap_px
    if missing >= 0:
        xy[:, :, missing] = -1024
    np.savez(folder / "landmarks.npz", ids=ids, lengths=lengths, index=np.array(POINTS), xy32=(xy * 32).astype(np.int16))
    words = [[0.0, 0.5, "sil"], [0.5, 1.0, "bab"], [1.0, 1.5, "ab"], [1.5, 2.0, "sil"]]
    (folder / "words.jsonl.gz").write_bytes(gzip.compress(json.dumps({"id": "one", "words": words}).encode()))
    sound = opus(0.3 * np.sin(np.arange(48_000) / 20).astype(np.float32))
    with tarfile.open(folder / "sound.tar", "w") as tar:
        member = tarfile.TarInfo("./one.opus")
        member.size = len(sound)
        tar.addfile(member, io.BytesIO(sound))
    return folder


def read_one(folder: Path) -> RealClip:
    (clip,) = read_clips(folder, shares)
    return clip


def test_a_clip_is_read_above_rest_and_in_millimetres(tmp_path: Path) -> None:
    opened = (np.arange(FRAMES) > 15) * 0.3
    clip = read_one(write_folder(tmp_path, opened, 40 * opened, missing=20))
    np.testing.assert_allclose(clip.jaw, opened, atol=1e-3)
    np.testing.assert_allclose(clip.gap_mm, 20 * opened, atol=0.1)
    assert np.ptp(clip.width_mm) < 0.1 and np.abs(clip.head).max() < 1e-3, "the head is about its mean"
    assert clip.word_of_frames()[[0, 13, 30, 40]].tolist() == [-1, 0, 1, -1]
    assert len(clip.energy_db) == 2 * clip.durations.sum() == 160 and np.ptp(clip.energy_db[20:140]) < 6


def test_phones_fill_the_real_time_of_their_word() -> None:
    words = (SpokenWord("ab", 0.5, 1.0), SpokenWord("c", 1.25, 1.5))
    phones, durations, owners = timed_phones(words, 80, shares)
    assert phones == " ab c " and durations.tolist() == [20, 10, 10, 10, 10, 20] and owners.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_folder_that_lacks_something_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it needs motion"):
        list(read_clips(tmp_path, shares))
