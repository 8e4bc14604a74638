"""The commands of docs/kubernetes.md: its blocks of shell, in their order, and its table of those that the tests do not run."""

import re
from dataclasses import dataclass
from pathlib import Path

from kube.release import DOCUMENT

NOT_RUN = "| command that the tests do not run | reason |"


@dataclass(frozen=True)
class Block:
    """A block of shell below a heading."""

    section: str
    text: str

    @property
    def commands(self) -> list[str]:
        """One for each line that begins one: without comments, and what a here-document says."""
        found, end = [], ""
        for line in self.text.splitlines():
            if end:
                end = "" if line == end else end
            elif line.strip() and not line.startswith("#"):
                found.append(re.sub(r"\s+#.*", "", line).strip())
                begins = re.search(r"<<(\w+)$", line)
                end = begins[1] if begins else ""
        return found


def blocks(document: Path = DOCUMENT) -> list[Block]:
    found, section, shell = [], "", []
    inside = ""
    for line in document.read_text().splitlines():
        if inside and line == "```":
            if inside == "sh":
                found.append(Block(section, "\n".join(shell) + "\n"))
            inside, shell = "", []
        elif inside:
            shell.append(line)
        elif line.startswith("```"):
            inside = line[3:] or "text"
        elif line.startswith("#"):
            section = line.lstrip("# ")
    return found


def not_run(document: Path = DOCUMENT) -> dict[str, str]:
    """Command and reason."""
    rows = document.read_text().partition(NOT_RUN)[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {command.strip("`"): reason for command, reason in cells}
