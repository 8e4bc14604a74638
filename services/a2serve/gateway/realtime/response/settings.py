"""Settings of one response: the session's, with those of `response.create` over them. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from a2llm import messages
from a2llm.messages import ModelInfo, ResponseRequest, Tool
from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.items import ItemReference
from a2serve.contracts.problems import RETRY_AFTER_MS, Code, Problem
from a2serve.contracts.session_config import (
    PERSONA_VOICE,
    AudioFormat,
    EngineOptions,
    FunctionTool,
    MaxTokens,
    Modality,
    MotionConfig,
    SessionConfig,
    ToolChoice,
)
from a2serve.gateway.conversation.conversation import Conversation, Item, item_of_wire, prompt_of


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """Settled for one response. `motion` is None for text and where it was not asked for."""

    modality: Modality
    audio_format: AudioFormat
    voice: str | dict[str, str]
    max_output_tokens: MaxTokens
    metadata: dict[str, str] | None
    in_conversation: bool
    instructions: str
    tools: tuple[FunctionTool, ...]
    tool_choice: ToolChoice
    engine: dict[str, Any] = field(default_factory=dict[str, Any])  # EngineOptions that were named
    persona: str = ""
    motion: MotionConfig | None = None
    events: bool = False
    binary: bool = False
    burst: bool = False


_OWN = ResponseOptions.model_fields.keys() & SessionConfig.model_fields.keys() - {"audio"}  # settings that a response may have otherwise


def answered_with(config: SessionConfig, options: ResponseOptions) -> SessionConfig:
    """The session's settings with the response's own over them; a null is no wish."""
    own = {name: value for name in _OWN if (value := getattr(options, name)) is not None}
    wished = options.audio.output if options.audio else None
    if wished and (wished.format or wished.voice):
        output = config.audio.output
        output = output.model_copy(update={"format": wished.format or output.format, "voice": wished.voice or output.voice})
        own["audio"] = config.audio.model_copy(update={"output": output})
    return config.model_copy(update=own)


def settle(config: SessionConfig, options: ResponseOptions) -> ResponseSettings:
    """Turns the result of `answered_with` into a response's settings. Raises Problem for a tool_choice without its tool."""
    modality = config.output_modalities[0]
    a2 = config.a2
    settings = ResponseSettings(
        modality=modality,
        audio_format=config.audio.output.format,
        voice=config.audio.output.voice,
        max_output_tokens=config.max_output_tokens,
        metadata=options.metadata,
        in_conversation=options.conversation != "none",
        instructions=config.instructions,
        tools=tuple(config.tools),
        tool_choice=config.tool_choice,
        engine={name: value for name in EngineOptions.model_fields if (value := getattr(config, name)) is not None},
        persona=a2.persona if a2 else "",
        motion=a2.motion if a2 and a2.events and modality == "audio" else None,
        events=bool(a2 and a2.events),
        binary=bool(a2 and a2.binary),
        burst=bool(a2 and a2.burst),
    )
    check_tools(settings.tools, settings.tool_choice)
    return settings


def check_tools(tools: tuple[FunctionTool, ...] | list[FunctionTool], choice: ToolChoice) -> None:
    """Raises Problem when a function is demanded that is not there."""
    names = {tool.name for tool in tools}
    if not isinstance(choice, str) and choice.name not in names:
        raise Problem(Code.CONFLICTING, f"tool_choice names {choice.name!r}, which is not among the tools", param="tool_choice")
    if choice == "required" and not names:
        raise Problem(Code.CONFLICTING, "tool_choice is required, but there are no tools", param="tool_choice")


def check_extension(config: SessionConfig, info: ModelInfo | None) -> None:
    """Raises Problem when the model has no such affect, rig or persona."""
    if info and info.affects and config.affect and config.affect.category not in info.affects:
        detail = f"no affect {config.affect.category!r} (available: {', '.join(info.affects)})"
        raise Problem(Code.INVALID_VALUE, detail, param="session.affect.category")
    if config.a2 is None or info is None:
        return
    if config.a2.motion and config.a2.motion.rig not in info.rigs:
        have = ", ".join(info.rigs) or "none"
        detail = f"rig {config.a2.motion.rig} is not loaded here (available: {have})"
        raise Problem(Code.RIG_UNAVAILABLE, detail, param="session.a2.motion.rig")
    if config.a2.persona and config.a2.persona not in {persona.name for persona in info.personas}:
        raise Problem(Code.PERSONA_UNKNOWN, f"no persona {config.a2.persona!r}", param="session.a2.persona")


def check_voice(voice: str | dict[str, str] | None, info: ModelInfo | None) -> None:
    """Raises Problem for a voice that the model does not have; None and the persona's own always can be."""
    if voice is None or voice == PERSONA_VOICE:
        return
    if info is None:
        raise Problem(Code.UNAVAILABLE, "the model's voices are not known now", param="audio.output.voice", retry_after_ms=RETRY_AFTER_MS)
    names = [PERSONA_VOICE, *sorted(info.voices or {persona.voice for persona in info.personas})]
    if voice not in names:
        raise Problem(Code.UNSUPPORTED, f"no voice {voice!r} (available: {', '.join(names)})", param="audio.output.voice")


def check_choices(config: SessionConfig, info: ModelInfo | None) -> None:
    """Raises Problem when the model has not what a client chose: the rig, the persona, the voice."""
    check_extension(config, info)
    check_voice(config.audio.output.voice, info)


def chooses(config: SessionConfig) -> bool:
    """True if only the model knows whether these settings can be met."""
    return config.a2 is not None or config.audio.output.voice != PERSONA_VOICE


def items_of_input(options: ResponseOptions, conversation: Conversation, new_id: Callable[[str], str]) -> list[Item]:
    """The items of `response.input`, references resolved. Raises Problem (item_not_found, unsupported)."""
    given = options.input or []
    return [
        conversation.get(entry.id) if isinstance(entry, ItemReference) else _readable(item_of_wire(entry, entry.id or new_id("item")))
        for entry in given
    ]


def _readable(item: Item) -> Item:
    """Raises Problem for sound without words: only what is in the conversation is transcribed."""
    if any(part.text is None for part in item.parts):
        detail = "audio in response.input needs its transcript; create it as an item of the conversation to have it transcribed"
        raise Problem(Code.UNSUPPORTED, detail, param="response.input")
    return item


def request_of(
    settings: ResponseSettings, items: tuple[messages.Item, ...], *, session_id: str, response_id: str, tenant: str
) -> ResponseRequest:
    """Builds the request to inference. A response outside the conversation has a slot of its own, so that it evicts nothing."""
    choice = settings.tool_choice
    engine: dict[str, Any] = {"seed": int.from_bytes(response_id.encode()[-6:], "big")} | settings.engine
    if "affect" in engine:
        engine["affect"] = messages.Affect(engine["affect"].category, engine["affect"].intensity)
    options = messages.ResponseOptions(
        **engine,
        voice=_voice(settings.voice),
        max_output_tokens=None if settings.max_output_tokens == "inf" else settings.max_output_tokens,
        audio=settings.modality == "audio",
        tools=tuple(_tool(tool) for tool in settings.tools),
        tool_choice=choice if isinstance(choice, str) else choice.name,
    )
    return ResponseRequest(
        session_id=session_id if settings.in_conversation else f"{session_id}.{response_id}",
        response_id=response_id,
        tenant=tenant,
        items=items,
        persona=settings.persona,
        instructions=settings.instructions,
        options=options,
        rig=settings.motion.rig if settings.motion else "",
        motion_hz=settings.motion.fps if settings.motion else 0,
        burst=settings.burst,
    )


def _voice(voice: str | dict[str, str]) -> str:
    """Its name for the model, to which "" is the persona's."""
    return voice if isinstance(voice, str) and voice != PERSONA_VOICE else ""


def _tool(tool: FunctionTool) -> Tool:
    return Tool(tool.name, tool.description or "", **({"parameters": tool.parameters} if tool.parameters else {}))


def prompt_for(options: ResponseOptions, conversation: Conversation, given: list[Item]) -> tuple[messages.Item, ...]:
    """The given input where there is one, else the conversation as it is now."""
    return conversation.prompt() if options.input is None else prompt_of(given)
