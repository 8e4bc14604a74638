"""The hand-written dialogues (Apache-2.0, written for this project): what people say, how it sounds,
what the avatar answers and with which affect."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from a2llm.affect import Affect


@dataclass(frozen=True)
class Exchange:
    """One turn of the user and the response to it."""

    user: str
    voice: Affect
    response: str
    affect: Affect


@dataclass(frozen=True)
class Dialogue:
    """One to three exchanges that belong together; `persona` names who answers where the words depend on it."""

    exchanges: tuple[Exchange, ...]
    persona: str | None = None

    @property
    def held_out(self) -> bool:
        """A fixed tenth, chosen by the first user line so that contrast sets stay on one side."""
        return sha256(self.exchanges[0].user.lower().encode()).digest()[0] < 26


def _exchange(raw: dict[str, str | float]) -> Exchange:
    level = float(raw["intensity"]) if raw["affect"] != "neutral" else 0.0
    return Exchange(str(raw["user"]), Affect.heard(str(raw["voice"])), str(raw["response"]), Affect(str(raw["affect"]), level).checked())


def load_dialogues() -> Iterator[Dialogue]:
    """Every dialogue that ships, in file order."""
    folder = files("a2llm.data").joinpath("dialogues")
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".jsonl"):
            for line in file.read_text().splitlines():
                raw = json.loads(line)
                yield Dialogue(tuple(_exchange(turn) for turn in raw["turns"]), raw.get("persona"))
