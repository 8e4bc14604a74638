"""Tools: what a client lets the model call, how they are shown to it, and how it chooses.

Not the decoding: `constrained` writes a call that its schema accepts.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NONE, AUTO, REQUIRED = "none", "auto", "required"
CALL_OPENING = "<tool_call>"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
DESCRIPTION_CHARS = 120  # of what a client writes about a tool; a small model follows short texts


@dataclass(frozen=True)
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
        raw = json.loads(text or "[]")
    except json.JSONDecodeError as error:
        raise ValueError(f"tools are not JSON: {error}") from None
    if not isinstance(raw, list):
        raise ValueError("tools must be a list")
    tools = tuple(_tool(entry) for entry in raw)
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        raise ValueError("two tools have the same name")
    return tools


def _tool(raw: Any) -> Tool:
    if not isinstance(raw, dict) or raw.get("type", "function") != "function":
        raise ValueError("a tool must be an object of type function")
    name, parameters = raw.get("name"), raw.get("parameters") or {"type": "object", "properties": {}}
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"a tool's name must be 1 to 64 letters, digits, _ or -, not {name!r}")
    if not isinstance(parameters, dict):
        raise ValueError(f"tool {name}: parameters must be a JSON Schema object")
    return Tool(name, str(raw.get("description") or ""), parameters)


def choose_tools(tools: tuple[Tool, ...], choice: str) -> tuple[Tool, ...]:
    """The tools that `choice` (none, auto, required or a name) leaves. Raises ValueError for one that cannot be kept."""
    if choice in (NONE, AUTO) or (choice == REQUIRED and tools):
        return () if choice == NONE else tools
    named = tuple(tool for tool in tools if tool.name == choice)
    if not named:
        raise ValueError("tool_choice is required, but there are no tools" if choice == REQUIRED else f"there is no tool {choice!r}")
    return named


def describe(tools: tuple[Tool, ...]) -> str:
    """Text that stands behind the instructions and lists the tools; empty without tools."""
    if not tools:
        return ""
    lines = [f"{tool.name}({_signature(tool.parameters)}){_purpose(tool)}" for tool in tools]
    return "\nTools:\n" + "\n".join(lines)


def _purpose(tool: Tool) -> str:
    text = " ".join(tool.description.split())[:DESCRIPTION_CHARS]
    return f": {text}" if text else ""


def _signature(parameters: Mapping[str, Any]) -> str:
    """Parameters in one line: `city: string, unit?: celsius|fahrenheit`."""
    properties, required = parameters.get("properties") or {}, parameters.get("required") or ()
    return ", ".join(f"{name}{'' if name in required else '?'}: {_kind(schema)}" for name, schema in properties.items())


def _kind(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "any"
    if "enum" in schema:
        return "|".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"{_kind(schema.get('items'))}[]"
    if schema.get("type") == "object":
        return f"{{{_signature(schema)}}}"
    return str(schema.get("type", "any"))


def call_text(name: str, arguments: str) -> str:
    """A call as the model writes it; `arguments` is JSON text."""
    return f'{CALL_OPENING}{{"name": {json.dumps(name)}, "arguments": {arguments}}}'
