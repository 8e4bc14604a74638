"""Contact sheets of what the motion teacher can show: every function at its stroke, every affect at .6, on both heads.

    python -m a2llm.evaluation.contact_sheet docs/images

For eyes, not for figures. The forms are drawn whole, without the chance by which a performance leaves moves out.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from a2llm.affect import AFFECTS
from a2llm.avatar.render import HeadRenderer
from a2llm.data.annotation import FUNCTIONS
from a2llm.data.expression import CURVE, STYLES, set_eyes
from a2llm.data.face.acts import Tracks, add_faces
from a2llm.data.face.arcs import POSES as AFFECT_POSES
from a2llm.data.face.forms import FORMS
from a2llm.data.face.moves import GAZE, POSES, Stretch, draw
from a2llm.data.face.place import Place
from a2llm.data.motion_teacher import VOR
from a2llm.rig import ARKIT61

INTENSITY = 0.6
PICTURE, TILE, LABEL, COLUMNS = 272, 168, 18, 8
LEFT, TOP = 52, 16  # of the tile in the picture: the face
HEADS = ("woman", "man")
PHRASE = Stretch(20, 70, (45,), 110)  # 1.25 s
HEAD_UNIT = 0.1  # radians of the head that count as much as a whole blendshape times half


def function_frame(name: str) -> np.ndarray:
    """The frame [61] at which a function's form is furthest from rest."""
    place = Place(open_question=False, side=1.0)
    tracks: Tracks = {channel: np.zeros(PHRASE.frames, np.float32) for channel in (*POSES, *GAZE)}
    for move in FORMS[name](place):
        tracks[move.channel] += draw(move, PHRASE)
    units = {channel: HEAD_UNIT if channel in ("yaw", "pitch", "roll", *GAZE) else 0.5 for channel in tracks}
    peak = int(np.argmax(sum(np.abs(track) / units[channel] for channel, track in tracks.items())))
    motion = np.zeros((PHRASE.frames, ARKIT61.size), np.float32)
    add_faces(motion, tracks)
    for channel, column in zip(("yaw", "pitch", "roll"), ARKIT61.group("head"), strict=True):
        motion[:, column] = tracks[channel]
    yaw, pitch, _ = ARKIT61.group("head")
    set_eyes(motion, tracks["gaze_yaw"] - VOR * motion[:, yaw], tracks["gaze_pitch"] - VOR * motion[:, pitch])
    return np.clip(motion[peak], -1, 1)


def affect_frame(name: str) -> np.ndarray:
    """An affect at INTENSITY as the face shows it, [61]."""
    level = INTENSITY**CURVE
    frame = level * AFFECT_POSES[name]
    frame[ARKIT61.index("headPitch")] = level * STYLES[name].head_pitch
    return frame


def sheet(frames: Sequence[tuple[str, np.ndarray]], head: str) -> Image.Image:
    """Named frames on one head, COLUMNS in a row."""
    renderer = HeadRenderer(head, PICTURE, PICTURE, 1)
    rows = -(-len(frames) // COLUMNS)
    page = Image.new("RGB", (min(len(frames), COLUMNS) * TILE, rows * (TILE + LABEL)), "white")
    pen = ImageDraw.Draw(page)
    for index, (name, frame) in enumerate(frames):
        x, y = index % COLUMNS * TILE, index // COLUMNS * (TILE + LABEL)
        picture = Image.fromarray(renderer.render(frame.astype(np.float32)))
        page.paste(picture.crop((LEFT, TOP, LEFT + TILE, TOP + TILE)), (x, y))
        pen.text((x + 6, y + TILE + 3), name, fill="black")
    return page


def write_sheets(folder: Path) -> list[Path]:
    """Writes teacher-functions.png and teacher-affects.png, both heads in each; returns the files."""
    parts = {
        "teacher-functions": [(name, function_frame(name)) for name in FUNCTIONS],
        "teacher-affects": [(name, affect_frame(name)) for name in AFFECTS],
    }
    files = []
    for stem, frames in parts.items():
        pages = [sheet(frames, head) for head in HEADS]
        whole = Image.new("RGB", (pages[0].width, sum(page.height for page in pages)), "white")
        for index, page in enumerate(pages):
            whole.paste(page, (0, index * page.height))
        files.append(folder / f"{stem}.png")
        whole.convert("P", palette=Image.Palette.ADAPTIVE).save(files[-1], optimize=True)
    return files


if __name__ == "__main__":
    print(*write_sheets(Path(sys.argv[1])), sep="\n")
