"""A question, typed or out of a sound file. Understands a recording before any model is loaded for the answer."""

from dataclasses import dataclass
from pathlib import Path

from a2llm.affect import Affect
from a2llm.cli.progress import working
from a2llm.listening.listener import Listener, ListenResult
from a2llm.listening.user_affect import STRANGER, Usual
from a2llm.sound_files import read_audio


@dataclass(frozen=True)
class Question:
    """A question in words; `heard` and `source` (the file's name) are set when it was spoken."""

    text: str
    heard: ListenResult | None = None
    source: str | None = None

    @property
    def voice(self) -> Affect:
        """How the user sounded; neutral for typed text."""
        return self.heard.voice.affect if self.heard else Affect()


def hear(path: str, listener: Listener | None = None, usual: Usual = STRANGER) -> Question:
    """Understands a spoken question; usual: how this speaker sounded before. Raises AudioInputError or NoSpeechError."""
    clip = read_audio(path)
    with working("listening"):
        heard = (listener or Listener()).hear(clip, usual)
    return Question(heard.transcript.text, heard, Path(path).name)
