"""Building blocks of command lines: the parser's behaviour, and types that refuse a bad value before anything loads."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from a2llm.affect import Affect

T = TypeVar("T")
Commands = Any  # what add_subparsers returns; argparse keeps its type private
AFFECT_HELP = "what the avatar expresses, NAME[:INTENSITY]: neutral, joy, sadness, anger or surprise, 0..1 (default: it chooses)"
PERSONA_HELP = "who answers: ada, max, coach or desk (default: ada)"
RIG_HELP = "coefficients of answer.motion.json: arkit61, oculus15 or flame58 (default: arkit61)"


class UsageError(ValueError):
    """The command line asks for something that cannot be: exit code 2."""


class Parser(argparse.ArgumentParser):
    """Prints errors in one line and keeps the layout of examples."""

    def __init__(self, **options: object) -> None:
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False} | options)  # pyright: ignore[reportArgumentType]

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"a2: {' '.join(message.split())} (`{self.prog} --help` tells more)\n")


def examples(*lines: str) -> str:
    """The end of a help text."""
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])


def checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """An argument type whose ValueError becomes the message."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


@checked
def affect(text: str) -> "Affect":
    from a2llm.affect import Affect

    return Affect.parse(text)


@checked
def persona(text: str) -> str:
    from a2llm.language.chat import find_persona

    return find_persona(text).name


@checked
def rig(text: str) -> str:
    from a2llm.rig import get_rig

    return get_rig(text).name


@checked
def count(text: str) -> int:
    """A whole number above 0."""
    return _whole(text, 1)


@checked
def whole(text: str) -> int:
    """A whole number from 0 on."""
    return _whole(text, 0)


@checked
def minutes(text: str) -> float:
    return _time(text, "minutes")


def hours(text: str) -> float:
    return _time(text, "hours")


def _time(text: str, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise ValueError(f"{unit} must be a number above 0, not {text!r}")
    return value


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise ValueError(f"a whole number from {least} on is needed, not {text!r}")
    return value
