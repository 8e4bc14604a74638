"""Prints words as they come, broken at the terminal's width and never inside a word."""

import shutil
import sys
from typing import TextIO


class TextFlow:
    """One paragraph. `indent` columns are taken on the first line already and left free on the others."""

    def __init__(self, out: TextIO | None = None, indent: int = 0) -> None:
        self._out = out or sys.stdout
        self._width = shutil.get_terminal_size().columns if self._out.isatty() else sys.maxsize
        self._indent = self._column = indent
        self.empty = True

    def add(self, text: str) -> None:
        for word in text.split():
            self._add_word(word)
        self._out.flush()

    def _add_word(self, word: str) -> None:
        if not self.empty and self._column + 1 + len(word) >= self._width:
            self._out.write("\n" + " " * self._indent)
            self._column = self._indent
        elif not self.empty:
            self._out.write(" ")
            self._column += 1
        self._out.write(word)
        self._column += len(word)
        self.empty = False

    def end(self) -> None:
        """Close the line, if there is one."""
        if not self.empty or self._indent:
            self._out.write("\n")
            self._out.flush()
