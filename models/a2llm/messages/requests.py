"""Requests to a model: for a response, for the words of an utterance, for the idle face."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from a2llm.messages.affect import Affect
from a2llm.messages.items import Item
from a2llm.messages.results import USUAL_RATE_HZ, Persona
from a2llm.messages.tools import Tool

AUTO = "auto"
MOST_EXPRESSIVE = 1.5
MOST_GIVEN_CHARACTERS = 32_000  # of all given words of a response, half an hour of speech
IdleState: TypeAlias = Literal["idle", "listening", "thinking", "return"]


@dataclass(frozen=True, slots=True)
class Resume:
    """How far a response came elsewhere: its tokens without the end of the turn, the words and samples that were delivered, and the affect
    that it began with: another replica might choose otherwise where two are close."""

    tokens: tuple[int, ...] = ()
    words: int = 0
    samples: int = 0
    affect: Affect | None = None


@dataclass(frozen=True, slots=True)
class GivenWords:
    """Words that a response says instead of the backbone's own: the text that is known so far, and whether it is over."""

    text: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class ResponseOptions:
    """Options of one response. None means the engine's own.

    max_output_tokens: of text; the text is cut there. temperature: of the words, 0 takes the likeliest. top_p: only the likeliest words
    that together have this probability are drawn. audio: without it there is only text. affect: what the avatar expresses instead of its
    choice. expressiveness: 0 to 1.5, how strongly it expresses, 1 is as it was taught, None the persona's. voice: its name, "" is the
    persona's. tool_choice: none, auto, required or a name; auto is best effort (`language.tool_use`). resume: go on where the response
    was lost, with the same seed; what was delivered is computed again and not sent. given: the response says these words, and those that
    an `AppendRequest` brings, until they are over; it calls no function. Raises ValueError for values out of range.
    """

    seed: int = 0
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    audio: bool = True
    affect: Affect | None = None
    expressiveness: float | None = None
    voice: str = ""
    tools: tuple[Tool, ...] = ()
    tool_choice: str = AUTO
    resume: Resume | None = None
    given: GivenWords | None = None

    def __post_init__(self) -> None:
        if self.max_output_tokens is not None and self.max_output_tokens < 1:
            raise ValueError(f"max_output_tokens must be at least 1, not {self.max_output_tokens}")
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            raise ValueError(f"temperature must be between 0 and 2, not {self.temperature}")
        if self.top_p is not None and not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.expressiveness is not None and not 0.0 <= self.expressiveness <= MOST_EXPRESSIVE:
            raise ValueError(f"expressiveness must be between 0 and {MOST_EXPRESSIVE}, not {self.expressiveness}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative: {self.seed}")


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """One response: the whole conversation, and the options of the response.

    persona: its name; "" is the model's first. instructions and affect_baseline: instead of the persona's own. usual_voice: the persona's,
    where the options name none; the model's first where it lacks that. rig: "" is arkit61.
    motion_hz: 0 is no motion. burst: as fast as possible instead of little ahead of real time. tenant_weight: the tenant's share of
    the slots against other tenants'. comes_back: who is refused asks this replica again, and no other one.
    """

    session_id: str
    response_id: str
    items: tuple[Item, ...] = ()
    options: ResponseOptions = ResponseOptions()
    persona: str = ""
    instructions: str = ""
    affect_baseline: Affect | None = None
    rig: str = ""
    motion_hz: int = 0
    burst: bool = False
    tenant: str = ""
    tenant_weight: float = 1.0
    comes_back: bool = False
    usual_voice: str = ""

    def answered_by(self, persona: Persona) -> "ResponseRequest":
        """With the persona's own instructions, baseline, voice and expressiveness where this asks for none."""
        options = self.options
        if options.expressiveness is None:
            options = replace(options, expressiveness=persona.expressiveness)
        return replace(
            self,
            persona=persona.name,
            instructions=self.instructions or persona.instructions,
            affect_baseline=self.affect_baseline or persona.affect_baseline,
            usual_voice=self.usual_voice or persona.voice,
            options=options,
        )


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """More of the given words of a response that is in progress: `text` stands at `offset` characters of them all; `over` ends them.

    What is there already is not added again, so a request may be repeated.
    """

    session_id: str
    response_id: str
    offset: int = 0
    text: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """New audio of an utterance, mono PCM16, at `offset_samples` of it; `final` ends the utterance, `words_now` wants its words."""

    session_id: str
    utterance_id: str
    offset_samples: int = 0
    pcm16: bytes = b""
    rate_hz: int = USUAL_RATE_HZ
    final: bool = False
    words_now: bool = False
    last_assistant_text: str = ""


@dataclass(frozen=True, slots=True)
class IdleRequest:
    """The face while the avatar does not speak. `start_f16`: the pose that was shown last; `affect`: that of the rest, None is neutral."""

    session_id: str
    state: IdleState
    from_frame: int = 0
    frames: int = 0
    rig: str = ""
    motion_hz: int = 0
    nod_frames: tuple[int, ...] = ()
    seed: int = 0
    start_f16: bytes = b""
    affect: Affect | None = None
