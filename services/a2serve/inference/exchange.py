"""What passes between the servicer and whatever runs the model: an Ask in, Pieces out, and the errors of the way.

Plain frozen values, so that the engine may live in this process or behind another wire. No protobuf, no torch.
"""

import time
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from a2llm.affect import Affect
from a2llm.language.chat import Persona
from a2llm.language.items import Item
from a2llm.reply_options import ReplyOptions

Floats = NDArray[np.float32]
Reason = Literal["completed", "max_output_tokens", "cancelled", "content"]


class Refused(RuntimeError):
    """No slot is free. retry_after_ms: when it is worth asking again."""

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class EngineDown(RuntimeError):
    """The engine is not running: it failed, or the replica drains. The message says which."""


@dataclass(frozen=True)
class Ask:
    """One response that is asked for: the whole conversation, and the wishes. arrived_s: of perf_counter.

    tenant_weight: its share of the slots against other tenants'. comes_back: who is refused asks here again, not elsewhere.
    """

    session_id: str
    response_id: str
    persona: Persona
    items: tuple[Item, ...]
    options: ReplyOptions = field(default_factory=ReplyOptions)
    burst: bool = False
    tenant: str = ""
    tenant_weight: float = 1.0
    comes_back: bool = False
    arrived_s: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True)
class Call:
    """A function that the avatar wants called; arguments is JSON that validates against the function's schema."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Usage:
    """Tokens and sound of one response. cached_tokens: the part of input_tokens that was not computed again."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_ms: int = 0


@dataclass(frozen=True)
class Timings:
    """Milliseconds since the request arrived; compute_ms is the time of the engine's steps in which the response took part."""

    queue_ms: float = 0.0
    prefill_ms: float = 0.0
    first_token_ms: float = 0.0
    first_audio_ms: float = 0.0
    compute_ms: float = 0.0


@dataclass(frozen=True)
class Finish:
    """How a response ended, and all it said."""

    reason: Reason
    text: str
    usage: Usage
    timings: Timings


@dataclass(frozen=True)
class Piece:
    """What one engine step gives for one response. pcm [S] float32 at the model's rate; motion [F, 61] at its motion rate.

    affect stands in the first piece only; the last piece has a finish, and perhaps nothing else. tokens: what the model wrote
    since the piece before; with them a response that is lost can be asked for again from where it was (ReplyOptions.resume).
    usage: of the response up to here.
    """

    pts_samples: int
    text: str = ""
    pcm: Floats | None = None
    motion: Floats | None = None
    affect: Affect | None = None
    call: Call | None = None
    finish: Finish | None = None
    tokens: tuple[int, ...] = ()
    usage: Usage = Usage()
