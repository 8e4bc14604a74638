"""The answer's picture: it appears whole, at its size, for odd text as well."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from a2llm.avatar.figure import HEIGHT_PX, WIDTH_PX, curve, response_figure
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit

RATE = 24_000
PHONES = [{"phone": p, "start_ms": i * 100, "end_ms": i * 100 + 100} for i, p in enumerate("hˈɛlO")]
WORDS = [{"word": "hello", "start_ms": 0, "end_ms": 500}]


def _response() -> tuple[np.ndarray, np.ndarray]:
    time_s = np.arange(RATE // 2) / RATE
    motion = np.zeros((20, ARKIT61.size), np.float32)
    motion[:, ARKIT61.index("jawOpen")] = np.linspace(0, 0.6, 20)
    return np.sin(time_s * 900).astype(np.float32), motion


def test_picture_holds_curves_and_faces(tmp_path: Path) -> None:
    pcm, motion = _response()
    response_figure(tmp_path / "a.png", pcm, RATE, PHONES, WORDS, motion, 40, "joy:0.7", "Hi? $5 ☺ 你好")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert pixels.shape == (HEIGHT_PX, WIDTH_PX, 3)
    faces = pixels[int(HEIGHT_PX * 0.8) : int(HEIGHT_PX * 0.95)]
    assert (faces[..., 0] > faces[..., 2] + 40).mean() > 0.1  # skin
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_silence_without_words_still_draws(tmp_path: Path) -> None:
    _, motion = _response()
    response_figure(tmp_path / "a.png", np.zeros(0, np.float32), RATE, [], [], motion, 40)
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_refuses_motion_of_another_rig(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="61"):
        response_figure(tmp_path / "a.png", np.zeros(9, np.float32), RATE, [], [], np.zeros((3, 15)), 40)
    assert not list(tmp_path.iterdir())


def test_curves_know_opposites() -> None:
    motion = np.stack([ARKIT61.pose({"mouthSmile": 0.5}), ARKIT61.pose({"mouthFrown": 0.5, "browDown": 1.0})])
    assert curve(motion, "smile").tolist() == [0.5, -0.5]
    assert curve(motion, "brow")[1] == -1
    assert curve(motion, "jaw").tolist() == [0, 0]
