"""Tools that a client lets the model call, and their JSON. How they are shown to the model is `language.tools`' business."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Tool:
    """A function: its name, what it is for, and the JSON Schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


def parse_tools(text: str) -> tuple[Tool, ...]:
    """Tools from JSON: a list of Realtime functions ({"type": "function", "name", "description", "parameters"}); "" is none.

    Raises ValueError for anything else.
    """
    try:
        raw: Any = json.loads(text or "[]")
    except json.JSONDecodeError as error:
        raise ValueError(f"tools are not JSON: {error}") from None
    if not isinstance(raw, list):
        raise ValueError("tools must be a list")
    tools = tuple(_tool(entry) for entry in cast("list[Any]", raw))
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        raise ValueError("two tools have the same name")
    return tools


def write_tools(tools: Sequence[Tool]) -> str:
    """The JSON that `parse_tools` reads."""
    return json.dumps([{"type": "function"} | asdict(tool) for tool in tools]) if tools else ""


def _tool(raw: Any) -> Tool:
    if not isinstance(raw, dict) or cast("dict[str, Any]", raw).get("type", "function") != "function":
        raise ValueError("a tool must be an object of type function")
    given = cast("dict[str, Any]", raw)
    name: Any = given.get("name")
    parameters: Any = given.get("parameters") or {"type": "object", "properties": {}}
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"a tool's name must be 1 to 64 letters, digits, _ or -, not {name!r}")
    if not isinstance(parameters, dict):
        raise ValueError(f"tool {name}: parameters must be a JSON Schema object")
    return Tool(name, str(given.get("description") or ""), cast("dict[str, Any]", parameters))
