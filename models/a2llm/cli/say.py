"""`a2 say`: one question, one answer, and its files."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from a2llm.cli.arguments import AFFECT_HELP, PERSONA_HELP, RIG_HELP, Commands, UsageError, affect, examples, persona, rig, whole

if TYPE_CHECKING:
    from a2llm.cli.hearing import Question
    from a2llm.cli.speaking import RecordedResponse, TimedResponse
    from a2llm.rig import FlameMapping

DESCRIPTION = """\
Answer a question, typed or in a sound file. The words are printed as they are spoken; then the answer's files are
written together: answer.wav (24 kHz), answer.json (texts, words and phones with times in ms, affect, timings),
answer.motion.json (face coefficients at 40 frames a second), answer.livelink.csv (Live Link Face), answer.png."""
EXAMPLES = examples(
    'a2 say "My dog ran away this morning."',
    'a2 say "I passed the exam!" --persona coach --affect joy:0.9 --out answer --seed 7',
    "a2 say --audio question.wav --out answer",
    'a2 say "Hello" --rig oculus15',
    'a2 say "Hello" --rig flame58 --flame-mapping arkit_to_flame.npz',
)


def register(commands: Commands) -> None:
    parser = commands.add_parser("say", help="answer one question and write the answer's files", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("text", nargs="?", metavar="TEXT", help="the question")
    parser.add_argument("--audio", metavar="FILE", help="the question as a sound file (wav, mp3, flac, ogg, m4a; up to two minutes)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where the files go (default: here)")
    parser.add_argument("--persona", type=persona, default="ada", metavar="NAME", help=PERSONA_HELP)
    parser.add_argument("--affect", type=affect, metavar="NAME[:INTENSITY]", help=AFFECT_HELP)
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="the same seed gives the same answer (default: 0)")
    parser.add_argument("--rig", type=rig, default="arkit61", metavar="NAME", help=RIG_HELP)
    parser.add_argument("--flame-mapping", metavar="NPZ", help="for flame58: matrix [61, 58] and bias [58], fitted on your own FLAME model")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Check everything that is cheap to check, then load, speak, write."""
    flame = _flame(arguments)
    text = _text(arguments)
    question = _question(text, arguments.audio)
    from a2llm.cli.opening import open_model
    from a2llm.cli.speaking import TimedResponse

    a2, watch = open_model(arguments.persona)
    response = TimedResponse(a2, question, arguments.affect, arguments.seed, watch)
    _print_steps(response)
    _write(response.recorded(), arguments.out, arguments.rig, flame)


def _print_steps(response: "TimedResponse") -> None:
    from a2llm.cli.text_flow import TextFlow

    flow = TextFlow()
    try:
        for step in response.steps():
            flow.add(step.text)
    finally:
        flow.end()


def _write(response: "RecordedResponse", out: Path, rig: str, flame: "FlameMapping | None") -> None:
    from a2llm.cli.progress import working
    from a2llm.cli.response_files import write_response

    with working("writing the files and drawing the picture"):
        files = write_response(response, out, rig, flame)
    print(f"{summary(response)}\nwrote {', '.join(str(file) for file in files)}", file=sys.stderr)


def summary(response: "RecordedResponse") -> str:
    """Sums up a response in one line of figures."""
    t = response.timings
    seconds = response.pcm.size / response.sample_rate_hz
    return f"{response.affect}, {seconds:.1f} s, first sound after {t['frl_ms']:.0f} ms, RTF {t['rtf']:.2f}"


def _text(arguments: argparse.Namespace) -> str | None:
    """The typed question, cleaned; None when it is spoken. Raises UsageError."""
    from a2llm.language.spoken_text import clean_user_text

    if (arguments.text is None) == (arguments.audio is None):
        raise UsageError('give either a text or --audio FILE, as in: a2 say "Hello"')
    try:
        return None if arguments.text is None else clean_user_text(arguments.text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _flame(arguments: argparse.Namespace) -> "FlameMapping | None":
    """The mapping, read before anything heavy. Raises UsageError when it is missing or unusable."""
    if (arguments.rig == "flame58") != (arguments.flame_mapping is not None):
        raise UsageError("--rig flame58 and --flame-mapping NPZ go together: FLAME is licensed, so its mapping comes from you")
    if arguments.flame_mapping is None:
        return None
    from zipfile import BadZipFile

    from a2llm.rig import load_flame_mapping

    try:
        return load_flame_mapping(arguments.flame_mapping)
    except (ValueError, OSError, EOFError, TypeError, BadZipFile) as error:
        raise UsageError(f"{arguments.flame_mapping} is no FLAME mapping: {error}") from None


def _question(text: str | None, audio: str) -> "Question":
    """Understands a recording before the model loads: a bad one is told at once."""
    from a2llm.cli.hearing import Question, hear

    return hear(audio) if text is None else Question(text)
