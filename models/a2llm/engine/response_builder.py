"""Checks what a response is asked for with, and builds it. Touches no slot: a request that raises has changed nothing."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from a2llm.engine.conversation import Conversation
from a2llm.engine.given import GivenText
from a2llm.engine.marks import Marks
from a2llm.engine.media import ResponseMedia
from a2llm.engine.parts import Parts, TextSampling
from a2llm.engine.prompt import Prompt, build_prompt
from a2llm.engine.response import Response
from a2llm.engine.text import ResponseText
from a2llm.language.chat import ChatTemplate
from a2llm.language.constrained import CALL_TOKENS, CallStream
from a2llm.language.tool_use import ToolUse
from a2llm.language.tools import choose_tools
from a2llm.language.word_stream import PlainWords, WordStream
from a2llm.messages import Item, Persona, ResponseOptions, Tool
from a2llm.talker.phones import PhoneStream
from a2llm.talker.stream import TalkerStream
from a2llm.talker.style import Style, voice_index


class ResponseBuilder:
    """context: tokens of a slot, prompt and response together."""

    def __init__(self, parts: Parts, template: ChatTemplate, context: int, sampling: TextSampling) -> None:
        self._parts, self._template, self._context, self._sampling = parts, template, context, sampling

    @cached_property
    def tool_use(self) -> ToolUse:
        """Judges whether a tool is wanted; made when tools are first asked for."""
        return ToolUse(self._parts.backbone, self._parts.tokenizer, self._template)

    def build(self, conversation: Conversation, items: Sequence[Item], options: ResponseOptions) -> Response:
        """Raises ValueError for tools that cannot be kept to, for instructions too long, and for tokens that cannot have been drawn."""
        marks, instructions = Marks(), conversation.persona.instructions
        tools = choose_tools(options.tools, options.tool_choice)
        call = self._open_call(instructions, items, tools, options)
        usual = self._sampling.max_tokens if options.given is None else self._context
        limit = CALL_TOKENS if call else min(options.max_output_tokens or usual, self._context // 2)
        prompt = build_prompt(self._template, instructions, items, tools, self._context - limit)
        if self._parts.talker.connector is None:
            prompt = prompt._replace(heard=())
        if call:
            prompt = Prompt(prompt.ids + self._template.call_start(), prompt.opening)
        self._check_tokens(prompt, options, limit)
        text_rng, timing_rng, frame_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(options.seed).spawn(3))
        media = self._media(options, self._style(conversation.persona, options), timing_rng, frame_rng)
        return Response(conversation, prompt, options, self._text(options, text_rng, limit, call), media, marks)

    def _open_call(self, instructions: str, items: Sequence[Item], tools: tuple[Tool, ...], options: ResponseOptions) -> CallStream | None:
        """The call that the response is; None where it speaks, as one with given words does, and one that has spoken elsewhere."""
        if not tools or options.given or (options.resume and options.resume.tokens):
            return None
        return self.tool_use.open_call(tools, options.tool_choice, instructions, items)

    def _check_tokens(self, prompt: Prompt, options: ResponseOptions, limit: int) -> None:
        drawn = options.resume.tokens if options.resume else ()
        if len(drawn) > limit:
            raise ValueError(f"a response of {len(drawn)} tokens cannot go on: it may have {limit}")
        if not all(0 <= token < self._parts.backbone.config.vocab_size for token in (*prompt.ids, *drawn)):
            raise ValueError("there is a token that is not in the vocabulary")

    def _text(self, options: ResponseOptions, rng: np.random.Generator, limit: int, call: CallStream | None) -> ResponseText:
        words = WordStream(self._parts.tokenizer) if options.audio else PlainWords(self._parts.tokenizer)
        if options.given:
            return GivenText(words, self._parts.tokenizer, limit, options.given, options.resume)
        return ResponseText(words, rng, limit, self._parts.tokenizer.turn_end, options.resume, call)

    def _style(self, persona: Persona, options: ResponseOptions) -> Style:
        wanted = (options.expressiveness, persona.expressiveness, 1.0)
        strength = next(value for value in wanted if value is not None)
        return Style(None, strength, voice_index(self._parts.talker.config, options.voice, persona.voice))

    def _media(
        self, options: ResponseOptions, style: Style, timing_rng: np.random.Generator, frame_rng: np.random.Generator
    ) -> ResponseMedia:
        parts, talker = self._parts, self._parts.talker
        british = talker.config.voices[style.voice] in talker.config.british
        phones = PhoneStream((british and parts.british_g2p) or parts.g2p, parts.phones)
        stream = TalkerStream(phones, style, talker.config, timing_rng, frame_rng, talker.connector)
        delivered = options.resume.samples if options.resume else 0
        return ResponseMedia(stream, self._parts.vocoder.start(options.seed), self._parts.clock, delivered)
