"""What a reply is asked for with, and what it reports about itself. Plain data."""

from dataclasses import dataclass

from a2llm.affect import Affect
from a2llm.language.tools import AUTO, Tool


@dataclass(frozen=True)
class Resume:
    """How far a reply came elsewhere, asked for with the same prompt and seed: the tokens drawn so far (without the end of
    the turn), and how many words and samples reached the listener."""

    tokens: tuple[int, ...]
    words: int
    samples: int


@dataclass(frozen=True)
class ReplyOptions:
    """One reply's wishes. None means the engine's own.

    max_tokens: of text; the text is cut there. temperature: of the words, 0 takes the likeliest. audio: without it there
    is only text. affect: what the avatar expresses instead of its choice. tool_choice: none, auto, required or a name;
    auto is best effort (`language.tool_use`). resume: go on where the reply was lost; what was delivered is computed again
    and not sent. Raises ValueError for values out of range.
    """

    seed: int = 0
    max_tokens: int | None = None
    temperature: float | None = None
    audio: bool = True
    affect: Affect | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str = AUTO
    resume: Resume | None = None

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            raise ValueError(f"temperature must be between 0 and 2, not {self.temperature}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative: {self.seed}")


@dataclass(frozen=True)
class Usage:
    """Tokens of one reply. cached_tokens: the part of input_tokens that was not computed again."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int


@dataclass
class Marks:
    """When a reply reached what: seconds of time.perf_counter; None until then."""

    admitted_s: float
    prefill_done_s: float | None = None
    first_token_s: float | None = None
    first_audio_s: float | None = None
