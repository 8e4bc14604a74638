"""The five files of a response, all or none: answer.wav, .json, .motion.json, .livelink.csv and .png."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from a2llm.avatar.export import write_livelink_csv, write_motion_json
from a2llm.cli.speaking import RecordedResponse
from a2llm.interrupt import undisturbed
from a2llm.rig import ARKIT61, FlameMapping, get_rig, retarget
from a2llm.wav_files import write_wav

NAMES = ("answer.wav", "answer.json", "answer.motion.json", "answer.livelink.csv", "answer.png")


def write_response(response: RecordedResponse, folder: Path, rig: str = ARKIT61.name, flame: FlameMapping | None = None) -> list[Path]:
    """Writes all files into `folder`, made if missing, and returns their paths.

    They replace those of an earlier response together; an interruption leaves the earlier ones. The motion file is in
    `rig`, Live Link and picture always in arkit61. Raises ValueError for flame58 without a mapping, OSError.
    """
    with appearing_together(folder) as aside:
        write_wav(aside / NAMES[0], response.pcm, response.sample_rate_hz)
        (aside / NAMES[1]).write_text(_laid_out(describe(response, rig)), encoding="utf-8")
        write_motion_json(aside / NAMES[2], retarget(response.motion, rig, flame), response.motion_fps, rig, get_rig(rig).names)
        write_livelink_csv(aside / NAMES[3], response.motion, response.motion_fps)
        _draw(response, aside / NAMES[4])
    return [folder / name for name in NAMES]


@contextmanager
def appearing_together(folder: Path) -> Iterator[Path]:
    """A folder beside the goal whose files move into `folder` when the block ends well, and vanish when it does not."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".answer-", suffix=".partial", dir=folder))
    try:
        yield aside
        with undisturbed():
            for file in sorted(aside.iterdir()):
                os.chmod(file, 0o644)
                os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def describe(response: RecordedResponse, rig: str) -> dict[str, object]:
    """Content of answer.json."""
    heard = response.question.heard
    voice = (
        {
            "affect": heard.voice.affect.category,
            "intensity": round(heard.voice.affect.intensity, 3),
            "confidence": round(heard.voice.confidence, 3),
        }
        if heard
        else None
    )
    return {
        "question": response.question.text,
        "transcript": heard.transcript.text if heard else None,
        "audio": response.question.source,
        "user_voice": voice,
        "text": response.text,
        "affect": {
            "category": response.affect.category,
            "intensity": round(response.affect.intensity, 3),
            "chosen_by_model": response.chosen,
        },
        "persona": response.persona.name,
        "avatar": response.persona.avatar,
        "seed": response.seed,
        "rig": rig,
        "sample_rate_hz": response.sample_rate_hz,
        "motion_fps": response.motion_fps,
        "timings": response.timings,
        "words": response.words,
        "phones": response.phones,
    }


def _laid_out(document: dict[str, object]) -> str:
    """JSON with one field, one word and one phone per line."""
    fields = []
    for name, value in document.items():
        rows = [json.dumps(row, ensure_ascii=False) for row in value] if isinstance(value, list) else []
        text = "[\n  " + ",\n  ".join(rows) + "\n ]" if rows else json.dumps(value, ensure_ascii=False)
        fields.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _draw(response: RecordedResponse, path: Path) -> None:
    from a2llm.avatar.figure import response_figure

    response_figure(
        path,
        response.pcm,
        response.sample_rate_hz,
        response.phones,
        response.words,
        response.motion,
        response.motion_fps,
        str(response.affect),
        response.question.text,
        response.persona.avatar,
    )
