"""A conversation as an OpenAI-compatible chat endpoint reads it. Pure."""

from typing import Any

from a2llm.messages import AssistantTurn, FunctionCall, Item, ResponseRequest, SystemText, ToolResult, UserTurn
from a2serve.contracts.session_config import EngineOptions
from a2serve.gateway.language_model.body import LanguageModelBody

DRAWING = EngineOptions.model_fields.keys() - {"seed", "affect", "expressiveness"}  # how words are drawn has the same names there
SPEAKS = "Your words are spoken aloud by an avatar: answer in plain, short sentences, without lists, tables, code or emoji."


def chat_request(model: LanguageModelBody, request: ResponseRequest) -> dict[str, Any]:
    """The body of POST /chat/completions: the persona's parameters, over them those of the response."""
    options = request.options
    own: dict[str, Any] = {name: getattr(options, name) for name in DRAWING} | {"max_tokens": options.max_output_tokens}
    body = dict(model.parameters) | {name: value for name, value in own.items() if value is not None}
    body |= {"model": model.model, "messages": chat_messages(request), "stream": True, "stream_options": {"include_usage": True}}
    if options.tools and options.tool_choice != "none":
        body["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": dict(t.parameters)}}
            for t in options.tools
        ]
        named = options.tool_choice not in ("auto", "required")
        body["tool_choice"] = {"type": "function", "function": {"name": options.tool_choice}} if named else options.tool_choice
    return body


def chat_messages(request: ResponseRequest) -> list[dict[str, Any]]:
    """Instructions, then what was said, as far as the user heard it. Calls that follow one another are one message."""
    out: list[dict[str, Any]] = [{"role": "system", "content": f"{request.instructions}\n\n{SPEAKS}".strip()}]
    answered = {item.call_id for item in request.items if isinstance(item, ToolResult)}
    for item in request.items:
        if isinstance(item, FunctionCall) and item.call_id not in answered:
            continue  # endpoints refuse a call without its result
        if isinstance(item, FunctionCall) and "tool_calls" in out[-1]:
            out[-1]["tool_calls"].append(_call(item))
        else:
            out.append(_message(item))
    return out


def _message(item: Item) -> dict[str, Any]:
    match item:
        case UserTurn(text, voice):
            heard = f" (voice: {voice.category})" if voice and voice.category != "neutral" else ""
            return {"role": "user", "content": text + heard}
        case AssistantTurn(text):
            return {"role": "assistant", "content": text}
        case FunctionCall():
            return {"role": "assistant", "content": None, "tool_calls": [_call(item)]}
        case ToolResult(text, call_id):
            return {"role": "tool", "tool_call_id": call_id, "content": text}
        case SystemText(text):
            return {"role": "system", "content": text}


def _call(call: FunctionCall) -> dict[str, Any]:
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
