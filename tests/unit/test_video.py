"""Clips: length, sound and picture at the same time, nothing left behind by an interruption."""

from pathlib import Path

import av
import numpy as np
import pytest

from a2llm.avatar.video import LONGEST_S, frame_count, motion_at, render_video
from a2llm.rig import ARKIT61
from a2llm.sound_files import AudioInputError, read_audio
from a2llm.wav_files import write_wav

pytestmark = pytest.mark.unit

RATE = 24_000
SIZE = 64


def _clip_of_one_second() -> tuple[np.ndarray, np.ndarray]:
    """A mouth that opens at 0.5 s with a burst of sound that begins at 0.5 s."""
    motion = np.zeros((40, ARKIT61.size), np.float32)
    motion[20:, ARKIT61.index("jawOpen")] = 1
    pcm = np.zeros(RATE, np.float32)
    pcm[RATE // 2 :] = 0.5 * np.sin(np.arange(RATE // 2) * 2 * np.pi * 1000 / RATE)
    return motion, pcm


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        pictures = np.stack([f.to_ndarray(format="rgb24") for f in frames]).astype(int)
        return pictures, read_audio(path, LONGEST_S, RATE).pcm, [float(f.time or 0.0) for f in frames]


def test_sound_and_picture_meet(tmp_path: Path) -> None:
    out, calls = tmp_path / "clip.mp4", []
    motion, pcm = _clip_of_one_second()
    render_video(motion, 40, pcm, out, size=SIZE, on_progress=lambda done, total: calls.append((done, total)))
    pictures, sound, times = _read(out)
    assert len(pictures) == 25 and calls[0] == (1, 25) and calls[-1] == (25, 25)
    assert times == pytest.approx([i / 25 for i in range(25)], abs=1e-3)
    change = np.abs(pictures - pictures[0]).mean((1, 2, 3))
    first_open = int(np.flatnonzero(change > change.max() / 2)[0])
    first_loud = int(np.flatnonzero(np.abs(sound) > 0.2)[0])
    assert times[first_open] == pytest.approx(0.5, abs=0.041)  # one video frame
    assert first_loud / RATE == pytest.approx(0.5, abs=0.003)
    assert len(sound) / RATE == pytest.approx(1.0, abs=0.05)


def test_takes_a_sound_file_and_pads_the_shorter_side(tmp_path: Path) -> None:
    motion, pcm = _clip_of_one_second()
    write_wav(tmp_path / "sound.wav", pcm[: RATE // 4])
    render_video(motion[:20], 40, tmp_path / "sound.wav", tmp_path / "clip.mp4", size=SIZE, video_fps=10)
    pictures, sound, _ = _read(tmp_path / "clip.mp4")
    assert len(pictures) == 5
    assert len(sound) / RATE == pytest.approx(0.5, abs=0.05)


def test_a_playlist_dressed_as_sound_reaches_no_other_file(tmp_path: Path) -> None:
    motion, pcm = _clip_of_one_second()
    write_wav(tmp_path / "secret.wav", pcm)
    (tmp_path / "sound.wav").write_text("ffconcat version 1.0\nfile secret.wav\n")
    with pytest.raises(AudioInputError, match=r"sound\.wav"):
        render_video(motion, 40, tmp_path / "sound.wav", tmp_path / "clip.mp4", size=SIZE)
    assert not (tmp_path / "clip.mp4").exists()


def test_interruption_leaves_nothing_and_spares_the_old_clip(tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    out.write_bytes(b"old")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_video(*_with_fps(), out, size=SIZE, on_progress=interrupt)
    assert out.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def _with_fps() -> tuple[np.ndarray, float, np.ndarray]:
    motion, pcm = _clip_of_one_second()
    return motion, 40.0, pcm


def test_clear_errors_for_bad_input(tmp_path: Path) -> None:
    motion, fps, pcm = _with_fps()
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(ValueError, match=r"text\.wav"):
        render_video(motion, fps, tmp_path / "text.wav", tmp_path / "clip.mp4")
    with pytest.raises(ValueError, match="missing"):
        render_video(motion, fps, tmp_path / "missing.wav", tmp_path / "clip.mp4")
    with pytest.raises(ValueError, match="61"):
        render_video(motion[:, :52], fps, pcm, tmp_path / "clip.mp4")
    with pytest.raises(ValueError, match="even"):
        render_video(motion, fps, pcm, tmp_path / "clip.mp4", size=65)
    assert [file.name for file in tmp_path.iterdir()] == ["text.wav"]


def test_motion_is_sampled_in_the_middle_of_a_video_frame() -> None:
    ramp = np.arange(80, dtype=np.float32)[:, None]
    # Motion frame f is exact at (f + 0.5) / 40 s, video frame 10 is seen around 10.5 / 25 s.
    assert motion_at(ramp, 40, 10, 25)[0] == pytest.approx(10.5 / 25 * 40 - 0.5)
    assert motion_at(ramp, 40, 0, 80)[0] == 0  # before the first middle
    assert motion_at(ramp, 40, 999, 25)[0] == 79


def test_frame_count_covers_the_longer_side() -> None:
    assert frame_count(40, 40, 0, RATE, 25) == 25
    assert frame_count(40, 40, RATE + 1, RATE, 25) == 26
    assert frame_count(1, 40, 0, RATE, 25) == 1
