"""`a2` itself: finds the command, runs it, and turns whatever goes wrong into one line and an exit code.

Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 130 interrupted (143 terminated).
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import entry_points

from a2llm.cli import bench, chat, data, evaluate, render, say, train, weights
from a2llm.cli.arguments import Parser, UsageError, examples
from a2llm.interrupt import Stop

COMMANDS = (say, chat, render, data, train, evaluate, bench, weights)
FAILED, MISUSED = 1, 2
EXAMPLES = examples(
    'a2 say "What should I cook tonight?"',
    "a2 say --audio question.wav --out answer --affect joy:0.8",
    "a2 chat --persona max",
    "a2 render answer.motion.json --audio answer.wav --out clip.mp4",
)


def build_parser() -> Parser:
    """Every command with its options; builds in milliseconds."""
    parser = Parser(prog="a2", description="Talk to an avatar: one model answers with text, voice and face.", epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.register(commands)
    for other in entry_points(group="a2.commands"):  # of the services, where they are installed
        other.load().register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run `a2 argv...` and return the exit code."""
    _print_anything()
    with Stop() as stop:
        try:
            return _run(build_parser(), argv)
        except SystemExit as end:  # argparse ends so, after --help as well
            return end.code if isinstance(end.code, int) else FAILED
        except BrokenPipeError:  # the reader of our output went away
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 (the edge: nobody shall see a traceback)
            if stop.asked or isinstance(error, KeyboardInterrupt):
                print("a2: interrupted", file=sys.stderr)
                return stop.exit_code
            return _report(error)


def _run(parser: Parser, argv: Sequence[str] | None) -> int:
    arguments: argparse.Namespace = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return MISUSED
    code = arguments.run(arguments) or 0
    sys.stdout.flush()
    return code


def _report(error: Exception) -> int:
    if os.environ.get("A2_DEBUG"):
        traceback.print_exception(error)
    print(f"a2: {explain(error)}", file=sys.stderr)
    return MISUSED if isinstance(error, UsageError) else FAILED


def explain(error: Exception) -> str:
    """One line for a person."""
    line = " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name} is missing: run `make setup`, or install a2llm-serve[model,train]"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if line and (isinstance(error, ValueError | OSError) or type(error).__module__.startswith("a2llm.")):
        return line
    return f"something unexpected happened ({type(error).__name__}: {line}); A2_DEBUG=1 shows where"


def _version() -> str:
    from a2llm import __version__

    return __version__


def _print_anything() -> None:
    """A terminal without Unicode gets question marks rather than an error."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")
