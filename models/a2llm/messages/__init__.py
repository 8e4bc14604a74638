"""Messages between a model and those who use it: plain frozen values that engine, replica, Triton and gateway share.

The package loads numpy at most. `a2serve.contracts.proto.convert` carries messages as protobuf, by the names of their fields.
"""

from a2llm.messages.affect import AFFECTS, HEARD_INTENSITY, Affect
from a2llm.messages.errors import EngineDown, ModelError, Refused, ResponseUnknown, RigUnavailable, UtteranceUnknown, WordsMissing
from a2llm.messages.items import AssistantTurn, FunctionCall, Item, SystemText, ToolResult, UserTurn
from a2llm.messages.requests import (
    AUTO,
    MOST_GIVEN_CHARACTERS,
    AppendRequest,
    GivenWords,
    IdleRequest,
    IdleState,
    ListenRequest,
    ResponseOptions,
    ResponseRequest,
    Resume,
)
from a2llm.messages.results import (
    Done,
    FinishReason,
    ListenResult,
    ModelInfo,
    Motion,
    Packet,
    Persona,
    StepOutput,
    Timings,
    Usage,
)
from a2llm.messages.tools import Tool, parse_tools, write_tools

__all__ = [
    "AFFECTS",
    "AUTO",
    "HEARD_INTENSITY",
    "MOST_GIVEN_CHARACTERS",
    "Affect",
    "AppendRequest",
    "AssistantTurn",
    "Done",
    "EngineDown",
    "FinishReason",
    "FunctionCall",
    "GivenWords",
    "IdleRequest",
    "IdleState",
    "Item",
    "ListenRequest",
    "ListenResult",
    "ModelError",
    "ModelInfo",
    "Motion",
    "Packet",
    "Persona",
    "Refused",
    "ResponseOptions",
    "ResponseRequest",
    "ResponseUnknown",
    "Resume",
    "RigUnavailable",
    "StepOutput",
    "SystemText",
    "Timings",
    "Tool",
    "ToolResult",
    "Usage",
    "UserTurn",
    "UtteranceUnknown",
    "WordsMissing",
    "parse_tools",
    "write_tools",
]
