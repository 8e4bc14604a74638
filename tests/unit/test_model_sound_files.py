"""Any sound file in, or one clear sentence."""

import math
import struct
import time
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from a2llm.sound_files import AudioInputError, read_audio

pytestmark = pytest.mark.unit


def tone(seconds: float = 1.0, rate_hz: int = 44_100, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def write_wav(path: Path, pcm: np.ndarray, rate_hz: int, width: int, channels: int = 1) -> Path:
    packed = {
        1: lambda x: ((x + 1) * 127.5).astype(np.uint8).tobytes(),
        2: lambda x: (x * 32767).astype("<i2").tobytes(),
        3: lambda x: (x * 8388607).astype("<i4").reshape(-1, 1).view(np.uint8)[:, :3].tobytes(),
        4: lambda x: (x * 2147483000).astype("<i4").tobytes(),
    }[width](np.repeat(pcm.astype(np.float64), channels))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(packed)
    return path


def encode(path: Path, codec: str, pcm: np.ndarray, rate_hz: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="mono")
        resampler = av.AudioResampler(stream.format.name, "mono", rate_hz, frame_size=stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(pcm[None], format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))
    return path


def loudest_hz(pcm: np.ndarray, rate_hz: int = 16_000) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(spectrum.argmax() * rate_hz / len(pcm))


@pytest.mark.parametrize(("rate_hz", "width", "channels"), [(8_000, 2, 2), (44_100, 3, 1), (48_000, 4, 2), (16_000, 1, 1), (22_050, 2, 1)])
def test_wav_of_any_rate_and_width(tmp_path: Path, rate_hz: int, width: int, channels: int):
    clip = read_audio(write_wav(tmp_path / "a.wav", tone(rate_hz=rate_hz), rate_hz, width, channels))
    assert clip.sample_rate_hz == 16_000 and clip.pcm.dtype == np.float32 and clip.pcm.ndim == 1
    assert math.isclose(clip.duration_s, 1.0, abs_tol=0.01)
    assert abs(loudest_hz(clip.pcm) - 440) < 2
    assert abs(np.abs(clip.pcm[1000:-1000]).max() - 0.5) < 0.02  # the mono mix keeps the level


COMPRESSED = [("a.mp3", "mp3", 44_100), ("a.flac", "flac", 48_000), ("a.ogg", "libopus", 48_000), ("a.m4a", "aac", 44_100)]


@pytest.mark.parametrize(("name", "codec", "rate_hz"), COMPRESSED)
def test_compressed_files(tmp_path: Path, name: str, codec: str, rate_hz: int):
    clip = read_audio(encode(tmp_path / name, codec, tone(rate_hz=rate_hz), rate_hz))
    assert math.isclose(clip.duration_s, 1.0, abs_tol=0.1)
    assert abs(loudest_hz(clip.pcm) - 440) < 3


def test_one_silent_channel_halves_the_level(tmp_path: Path):
    path = tmp_path / "left.wav"
    stereo = np.stack([tone(rate_hz=16_000), np.zeros(16_000, np.float32)], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((stereo * 32767).astype("<i2").tobytes())
    assert abs(np.abs(read_audio(path).pcm).max() - 0.25) < 0.01


def test_fifteen_minutes_are_refused_at_once(tmp_path: Path):
    path = write_wav(tmp_path / "long.wav", np.zeros(900 * 16_000, np.float32), 16_000, 2)
    started = time.perf_counter()
    with pytest.raises(AudioInputError, match=r"lasts 900 s and the limit is 120 s"):
        read_audio(path)
    assert time.perf_counter() - started < 0.5


def test_a_header_that_hides_the_length_does_not_help(tmp_path: Path):
    path = write_wav(tmp_path / "liar.wav", np.zeros(30 * 16_000, np.float32), 16_000, 2)
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(data)
    with pytest.raises(AudioInputError, match="limit is 10 s"):
        read_audio(path, limit_s=10)


def test_a_wav_cut_in_the_middle_keeps_what_is_there(tmp_path: Path):
    path = write_wav(tmp_path / "cut.wav", tone(2.0, 16_000), 16_000, 2)
    path.write_bytes(path.read_bytes()[: 44 + 32_000])
    assert math.isclose(read_audio(path).duration_s, 1.0, abs_tol=0.05)


def bad_files(folder: Path) -> dict[str, Path]:
    whole = write_wav(folder / "whole.wav", tone(0.5, 16_000), 16_000, 2).read_bytes()
    contents = {
        "empty.wav": b"",
        "letter.wav": b"Dear reader,\nthis is a letter and not a sound.\n" * 50,
        "header_cut.wav": whole[:20],
        "header_only.wav": whole[:44],
        "noise.mp3": np.random.default_rng(0).bytes(5000),
        "playlist.wav": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nwhole.wav\n#EXT-X-ENDLIST\n",
        "list.wav": b"ffconcat version 1.0\nfile whole.wav\n",
        "zero_rate.wav": whole[:24] + struct.pack("<I", 0) + whole[28:],
        "absurd_rate.wav": whole[:24] + struct.pack("<I", 1) + whole[28:],
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in contents} | {"missing.wav": folder / "missing.wav", "folder": folder}


NAMES = (
    "empty.wav letter.wav header_cut.wav header_only.wav noise.mp3 playlist.wav list.wav zero_rate.wav absurd_rate.wav missing.wav folder"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_bad_files_give_one_sentence(tmp_path: Path, name: str):
    started = time.perf_counter()
    with pytest.raises(AudioInputError) as caught:
        read_audio(bad_files(tmp_path)[name])
    assert 10 < len(str(caught.value)) < 300 and "\n" not in str(caught.value)
    assert time.perf_counter() - started < 5


def test_a_video_without_sound_is_refused(tmp_path: Path):
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with pytest.raises(AudioInputError, match="no audio stream"):
        read_audio(path)
