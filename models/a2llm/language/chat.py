"""The conversation as the backbone reads it: personas and the ChatML template, cut so that the KV
cache of earlier turns is never recomputed.

How the user sounds goes in as words behind what the user said; neutral voices add nothing. Tools stand behind the
instructions, a call is an assistant turn that begins with <tool_call>, its result a turn of the role `tool`.
"""

import json
from functools import cache
from importlib.resources import files

from a2llm.language.tokenizer import TextTokenizer
from a2llm.language.tools import CALL_OPENING, call_text, describe
from a2llm.messages import Affect, AssistantTurn, FunctionCall, Item, Persona, SystemText, Tool, ToolResult, UserTurn


@cache
def personas() -> dict[str, Persona]:
    """The personas that ship, by name."""
    raw = json.loads(files("a2llm.language").joinpath("personas.json").read_text())
    return {name: Persona(name, item["instructions"], Affect.parse(item["baseline"]), item["avatar"]) for name, item in raw.items()}


def find_persona(name: str) -> Persona:
    """Look a persona up by name. Raises ValueError that lists the known ones."""
    try:
        return personas()[name.lower()]
    except KeyError:
        raise ValueError(f"unknown persona {name!r}: choose one of {', '.join(personas())}") from None


class ChatTemplate:
    """Token ids of each part of a conversation."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._start, self._end = tokenizer.turn_start, tokenizer.turn_end
        self._newline = tokenizer.encode("\n")

    def _turn(self, role: str, text: str) -> list[int]:
        return [self._start, *self._tokenizer.encode(f"{role}\n{text}"), self._end, *self._newline]

    def system(self, persona: Persona) -> list[int]:
        return self.instructions(persona.instructions)

    def instructions(self, text: str, tools: tuple[Tool, ...] = ()) -> list[int]:
        """Ids of a conversation's beginning: the system turn with its tools."""
        return self._turn("system", text + describe(tools))

    def opening(self, instructions: str, tools: tuple[Tool, ...] = ()) -> list[int]:
        """Ids that can be read before the user has said anything: the instructions, and that the user begins."""
        return self.instructions(instructions, tools) + self.user_so_far("")

    def user(self, text: str, voice: Affect) -> list[int]:
        """One user turn; `voice` is how the user sounded."""
        return self._turn("user", _with_voice(text, voice))

    def user_words(self, turn: UserTurn | None) -> list[int]:
        """Places of the last token of every word in the ids of the user's turn, with how it sounded."""
        if turn is None:
            return []
        role = len(self.user_so_far(""))
        said = self.user_so_far(_with_voice(turn.text, turn.voice_affect or Affect()))[role:]
        return [role + end for end in self._tokenizer.word_ends(said)]

    def response_start(self) -> list[int]:
        return [self._start, *self._tokenizer.encode("assistant\n")]

    def response_end(self) -> list[int]:
        """Ids that close a response before the next user turn."""
        return [self._end, *self._newline]

    def user_so_far(self, text: str) -> list[int]:
        """A user turn that may go on."""
        return [self._start, *self._tokenizer.encode(f"user\n{text}")]

    def call_start(self) -> list[int]:
        """Ids behind `response_start` that make a response a call."""
        return self._tokenizer.encode(CALL_OPENING)

    def item(self, item: Item) -> list[int]:
        """One finished item; an assistant turn without a word takes no place."""
        match item:
            case UserTurn(text, voice):
                return self.user(text, voice or Affect())
            case AssistantTurn(text, tokens):
                said = list(tokens) or self._tokenizer.encode(text.strip())
                return [*self.response_start(), *said, *self.response_end()] if said else []
            case FunctionCall(name, arguments):
                return [*self.response_start(), *self._tokenizer.encode(call_text(name, arguments)), *self.response_end()]
            case ToolResult(text):
                return self._turn("tool", text)
            case SystemText(text):
                return self._turn("system", text)

    def prompt(self, persona: Persona, text: str, voice: Affect) -> list[int]:
        """Ids of a whole first turn, up to where the response begins."""
        return self.system(persona) + self.user(text, voice) + self.response_start()


def _with_voice(text: str, voice: Affect) -> str:
    return text.strip() + (f" (voice: {voice.category})" if voice.index else "")
