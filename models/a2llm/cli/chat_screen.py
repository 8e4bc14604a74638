"""Shows a conversation: colours and a prompt on a terminal, plain lines elsewhere. It knows no model."""

import sys
from typing import TYPE_CHECKING

from a2llm.cli.text_flow import TextFlow

if TYPE_CHECKING:
    from a2llm.affect import Affect

COLORS = {"neutral": "bright_black", "joy": "yellow", "sadness": "blue", "anger": "red", "surprise": "magenta"}
HELP = """\
/audio FILE    ask with a sound file
/persona NAME  talk to someone else (ada, max, coach, desk); the conversation starts again
/save DIR      write the files of the last answer: sound, texts and times, face motion, picture
/reset         forget the conversation
/help          this list
/quit          leave (Ctrl-D, or Ctrl-C twice)"""


class Screen:
    """Prints to stdout; notes go there as well on a terminal, and to stderr elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console

        self.interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self._out = Console(highlight=False, soft_wrap=not self.interactive, markup=False, emoji=False)
        self._notes = self._out if self.interactive else Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
        if self.interactive:
            _edit_lines()

    def welcome(self, name: str, seconds: float) -> None:
        self.note(f"{name.capitalize()} is listening (ready in {seconds:.1f} s). Type and press Enter; /help has more.")

    def read(self) -> str | None:
        """The user's next line; None at the end of the input."""
        if not self.interactive:
            line = sys.stdin.readline()
            return line.strip() if line else None
        try:
            return input("\n\001\033[1;36m\002you ›\001\033[0m\002 ").strip()
        except EOFError:
            self._out.print()
            return None

    def begin_response(self, name: str) -> TextFlow:
        self._out.print(f"{name} › ", style="bold green", end="")
        return TextFlow(indent=len(name) + 3)

    def end_response(self, ttfa_ms: float, rtf: float, affect: "Affect", duration_s: float) -> None:
        shown = f"{affect.category} {affect.intensity:.2f}" if affect.index else "neutral"
        self._out.print(f"  TTFA {ttfa_ms:.0f} ms · RTF {rtf:.2f} · {duration_s:.1f} s · ", style="bright_black", end="")
        self._out.print(shown, style=COLORS[affect.category])

    def heard(self, text: str, voice: "Affect") -> None:
        how = f" (you sounded {voice.category})" if voice.index else ""
        self._out.print(f"heard › {text}{how}", style="cyan")

    def note(self, text: str) -> None:
        self._notes.print(text, style="bright_black")

    def problem(self, text: str) -> None:
        self._notes.print(f"a2: {text}", style="red" if self.interactive else None)


def _edit_lines() -> None:
    """Arrow keys and history in `input`, where Python has readline."""
    try:
        import readline  # noqa: F401
    except ImportError:
        return
