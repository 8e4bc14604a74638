"""A plan says what one engine step does. A scheduler makes it; the engine carries it out and decides nothing about who waits."""

from dataclasses import dataclass
from typing import NamedTuple

from a2llm.engine.response import Response


class Chunk(NamedTuple):
    """So many of a response's unread ids."""

    response: Response
    tokens: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Responses in no field sit the step out.

    go_on: begun responses that make their next frame, or draw the token that they lack for it.
    prompts: what is read of prompts.
    read_ahead: responses that draw a token too, if the step makes a pass over the backbone anyway; whether they go on or not.
    audio_levels: residual levels of the sound; None is all that the talker has.
    """

    go_on: tuple[Response, ...]
    prompts: tuple[Chunk, ...] = ()
    read_ahead: tuple[Response, ...] = ()
    audio_levels: int | None = None

    @property
    def responses(self) -> list[Response]:
        """Those that may have an output."""
        return [*self.go_on, *(chunk.response for chunk in self.prompts)]
