"""Tools: how they are shown to the model, and how it chooses. What a tool is: `a2llm.messages.tools`.

Not the decoding: `constrained` writes a call that its schema accepts.
"""

import json
from collections.abc import Mapping
from typing import Any

from a2llm.messages import AUTO, Tool

NONE, REQUIRED = "none", "required"
CALL_OPENING = "<tool_call>"
DESCRIPTION_CHARS = 120  # of what a client writes about a tool; a small model follows short texts


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
