"""Input of the turn machine (`TurnEvent`), and what it wants done (`TurnAction`).

Times that end in `_input_ms` count the audio that the user sent.
"""

from dataclasses import dataclass
from typing import TypeAlias

from a2serve.gateway.realtime.turn.rules import TurnRules


@dataclass(frozen=True, slots=True)
class Voice:
    """One window of input audio and the probability that it holds the user's voice (0 for our own echo)."""

    probability: float
    start_input_ms: int
    end_input_ms: int


@dataclass(frozen=True, slots=True)
class Words:
    """The running transcript of the current speech, covering the input up to `until_input_ms`."""

    text: str
    until_input_ms: int
    turn_end_probability: float | None = None


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    """A response for the conversation was created; nothing is heard yet."""


@dataclass(frozen=True, slots=True)
class ResponseSpeaking:
    """Its first sound was sent."""


@dataclass(frozen=True, slots=True)
class ResponseEnded:
    """It was played to its end, failed, or was cancelled by the client."""


@dataclass(frozen=True, slots=True)
class InputTaken:
    """The client committed or cleared the input buffer itself."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The client has changed the session's rules."""

    rules: TurnRules


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; nothing else happened."""


TurnEvent: TypeAlias = Voice | Words | ResponseStarted | ResponseSpeaking | ResponseEnded | InputTaken | Configured | Tick


@dataclass(frozen=True, slots=True)
class BeginUtterance:
    """Keep the input from here on; not announced yet."""

    start_input_ms: int


@dataclass(frozen=True, slots=True)
class DropUtterance:
    """Forget the utterance: it was no speech."""


@dataclass(frozen=True, slots=True)
class AnnounceSpeech:
    """Send the event speech_started to the client."""

    start_input_ms: int


@dataclass(frozen=True, slots=True)
class AskWords:
    """A pause: ask for words and for the probability that the turn is over."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing more of the response until Resume or Interrupt."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on where the response was held."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Cancel the response; what was not played was not said."""


@dataclass(frozen=True, slots=True)
class EndTurn:
    """Send speech_stopped and commit the utterance; answer it if `respond`."""

    end_input_ms: int
    respond: bool


@dataclass(frozen=True, slots=True)
class IdleTimeout:
    """Nobody spoke for long: commit silence and respond to it."""

    start_input_ms: int
    end_input_ms: int


TurnAction: TypeAlias = BeginUtterance | DropUtterance | AnnounceSpeech | AskWords | Hold | Resume | Interrupt | EndTurn | IdleTimeout
Actions: TypeAlias = tuple[TurnAction, ...]
