"""Many responses in one batch. A step carries out a plan: it reads tokens and, beside that, makes frames of sound and motion.

Rows are independent: a response sounds the same alone and beside others. A response is asked for with the whole conversation; what
its slot or the prefix cache holds of it is not read again. Used by one thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

import torch

from a2llm.engine.conversation import Conversation
from a2llm.engine.parts import Parts, TextSampling
from a2llm.engine.plan import Chunk, Plan
from a2llm.engine.prefix_cache import PrefixCache
from a2llm.engine.response import Response
from a2llm.engine.response_builder import ResponseBuilder
from a2llm.engine.slot import Slot
from a2llm.engine.synthesizer import FrameRequest, Synthesizer
from a2llm.engine.text_decoder import TextDecoder
from a2llm.language.chat import ChatTemplate, personas
from a2llm.language.turn_end import TurnEnd
from a2llm.messages import Affect, Item, Persona, ResponseOptions, StepOutput, UserTurn
from a2llm.talker.config import SamplingConfig
from a2llm.talker.stream import gather_frames, time_phones

Output = tuple[Response, StepOutput]


class EngineFull(RuntimeError):
    """No slot is free: each holds a conversation."""


class Engine:
    """context: tokens of a slot. Prefixes are kept from `keep_prefixes` on."""

    def __init__(
        self,
        parts: Parts,
        slots: int = 1,
        context: int = 2048,
        sampling: SamplingConfig | None = None,
        text_sampling: TextSampling | None = None,
    ) -> None:
        self._parts, self._sampling = parts, sampling or SamplingConfig()
        self._template = ChatTemplate(parts.tokenizer)
        self._cache = parts.backbone.new_cache(slots, context)
        self._prefixes = PrefixCache(parts.backbone, 0)
        self._builder = ResponseBuilder(parts, self._template, context, text_sampling or TextSampling())
        self._decoder = TextDecoder(parts, self._cache, text_sampling or TextSampling())
        self._synthesizer = Synthesizer(parts, slots)
        self._sampling_of = cache(self._sampling_at)
        self._free = list(range(slots))
        self._conversations: list[Conversation] = []
        self._responses: list[Response] = []

    @property
    def parts(self) -> Parts:
        return self._parts

    @property
    def cache(self) -> Any:
        """Keys and values of all slots. To be read only."""
        return self._cache

    @property
    def prefixes(self) -> PrefixCache:
        """Prefixes kept beside the slots. To be read only."""
        return self._prefixes

    @property
    def responses(self) -> tuple[Response, ...]:
        """Responses in progress, the oldest first."""
        return tuple(self._responses)

    @property
    def tokens_at_once(self) -> int:
        """Tokens of prompts that one pass may read."""
        return self._decoder.tokens_at_once

    @property
    def audio_levels(self) -> int:
        """Residual levels of the sound, where a plan does not say otherwise."""
        return self._sampling.audio_levels

    @property
    def held_tokens(self) -> int:
        """Tokens whose keys and values the slots hold."""
        return sum(len(conversation.cached) for conversation in self._conversations)

    # --- conversations --------------------------------------------------------------------------------------------------

    def open_conversation(self, persona: Persona, key: str = "") -> Conversation:
        """Take a slot; with a key, restore what was spilled under it. Raises EngineFull when no slot is free."""
        if not self._free:
            raise EngineFull("all slots are taken")
        conversation = Conversation(persona, Slot(self._cache, self._free.pop(0)), key)
        self._prefixes.restore_spilled(key, conversation.slot)
        self._conversations.append(conversation)
        return conversation

    @torch.inference_mode()
    def warm_up(self, conversation: Conversation) -> None:
        """Read what is known before the first turn."""
        unread = [] if conversation.cached else self._template.opening(conversation.persona.instructions)
        for start in range(0, len(unread), self.tokens_at_once):
            self._decoder.forward([(conversation.slot, unread[start : start + self.tokens_at_once])])

    def keep_prefixes(self, tokens: int) -> None:
        """Begin to keep prefixes beside the slots, so many tokens at most; those that were kept before are dropped."""
        self._prefixes = PrefixCache(self._parts.backbone, tokens)

    def preload(self, instructions: str) -> None:
        """Read instructions into the prefix cache, for every conversation that will begin with them."""
        self._prefixes.read(self._template.opening(instructions))

    def spill_conversation(self, conversation: Conversation) -> None:
        """Close it, but keep what its slot holds: the next conversation with its key restores it. Raises ValueError without a key."""
        if not conversation.key:
            raise ValueError("a conversation without a key cannot be spilled")
        self._prefixes.spill(conversation.key, conversation.slot)
        self.close_conversation(conversation)

    def close_conversation(self, conversation: Conversation) -> None:
        """Give the slot back; a response in progress is cancelled. Closing twice is harmless."""
        self._cancel_response_of(conversation)
        if not conversation.closed:
            conversation.close()
            self._free.append(conversation.row)
            self._conversations.remove(conversation)

    def forget(self, key: str) -> None:
        """Drop what was spilled under this key."""
        self._prefixes.forget(key)

    # --- responses ------------------------------------------------------------------------------------------------------

    def open_stream(self, conversation: Conversation, text: str, voice: Affect, seed: int, affect: Affect | None = None) -> Response:
        """Begin the response to one user turn; the conversation keeps what was said before. One in progress is cancelled.
        `affect` overrides what the model would choose. Raises ValueError for a closed conversation."""
        self._cancel_response_of(conversation)
        items = conversation.begin_turn(UserTurn(text, voice))
        response = self.respond(conversation, items, ResponseOptions(seed, affect=affect))
        conversation.note_response(response)
        return response

    def respond(self, conversation: Conversation, items: Sequence[Item], options: ResponseOptions) -> Response:
        """Begin the response to a whole conversation; one in progress in the same slot is cancelled.

        Raises ValueError for a closed conversation, for tools that cannot be kept to, for instructions too long, and for
        tokens that cannot have been drawn.
        """
        if conversation.closed:
            raise ValueError("the conversation is closed")
        response = self._builder.build(conversation, items, options)
        self._cancel_response_of(conversation)
        self._prefixes.restore(response.prompt.opening, conversation.slot)
        response.start()
        self._synthesizer.restart(conversation.row)
        self._responses.append(response)
        return response

    def append(self, response: Response, text: str, offset: int = 0, over: bool = False) -> int:
        """More of a response's given words, at `offset` characters of them all; returns how many there are. What is there already is not
        added again. Raises ValueError for a gap, and for a response whose words the backbone finds."""
        return response.append(text, offset, over)

    def cancel(self, response: Response) -> None:
        """Stop a response; what it has said stays in the conversation."""
        response.cancel()
        self._responses = [r for r in self._responses if r is not response]

    def turn_end_probability(self, text: str) -> float:
        """P in 0..1 that the user's turn ends behind a running transcript. Touches no conversation; call it between steps."""
        return self._turn_end.probability(text)

    @cached_property
    def _turn_end(self) -> TurnEnd:
        return TurnEnd(self._parts.backbone, self._parts.tokenizer, next(iter(personas().values())))

    def _cancel_response_of(self, conversation: Conversation) -> None:
        for response in [r for r in self._responses if r.conversation is conversation]:
            self.cancel(response)

    # --- a step ---------------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def step(self, plan: Plan) -> list[Output]:
        """Carry out the plan; the outputs that became ready, with their responses."""
        sampling, responses = self._sampling_of(plan.audio_levels), plan.responses
        unbegun = [r for r in responses if not r.begun and not r.text.draws]
        ready, chunks = self._with_frame(responses, sampling), self._chunks(plan)
        if ready and chunks and self._synthesizer.runs_beside:
            outputs = self._speak(ready, sampling, meanwhile=lambda: self._decoder.read(chunks))
        else:
            if chunks:
                self._decoder.read(chunks)
            outputs = self._speak(self._with_frame(responses, sampling), sampling)
        outputs += self._write(responses)
        spoke = [response for response, _ in outputs]
        outputs += [(r, r.emit_begun()) for r in unbegun if r.begun and not r.done and r not in spoke]
        self._retire(responses)
        return outputs

    def _sampling_at(self, audio_levels: int | None) -> SamplingConfig:
        return self._sampling if audio_levels is None else replace(self._sampling, audio_levels=audio_levels)

    def _with_frame(self, responses: Sequence[Response], sampling: SamplingConfig) -> list[Response]:
        """Responses whose next frame can be computed, once the phones in it have durations."""
        speaking = [r for r in responses if r.speaks and r.begun]
        time_phones(self._parts.talker, [r.talker for r in speaking], sampling)
        return [r for r in speaking if r.has_frame]

    def _chunks(self, plan: Plan) -> list[Chunk]:
        """Prompts, responses that lack a token and, if there is any of these, those that read ahead."""
        lacking = [r for r in plan.go_on if r.needs_token]
        if not lacking and not plan.prompts:
            return []
        along = [r for r in plan.read_ahead if r not in lacking]
        return [*plan.prompts, *(Chunk(r, min(len(r.text.unread), self.tokens_at_once)) for r in (*lacking, *along))]

    def _speak(self, responses: Sequence[Response], sampling: SamplingConfig, meanwhile: Callable[[], None] | None = None) -> list[Output]:
        """One frame for each, and `meanwhile` beside it."""
        if not responses:
            return []
        frames, uniforms = gather_frames([r.talker for r in responses])
        rows, last = torch.tensor([r.conversation.row for r in responses]), [r.done for r in responses]
        voices = torch.tensor([r.talker.style.voice for r in responses])
        request = FrameRequest(frames, uniforms, rows, voices, list(zip([r.media.vocoder for r in responses], last, strict=True)))
        made = self._synthesizer.synthesize(request, sampling, meanwhile)
        pieces = zip(responses, made.motion, made.pcm, last, strict=True)
        outputs = [(response, response.emit_frame(motion, pcm, ends)) for response, motion, pcm, ends in pieces]
        return [(response, output) for response, output in outputs if output]

    def _write(self, responses: Sequence[Response]) -> list[Output]:
        """Outputs of responses that do not speak."""
        outputs = [(response, response.emit_text()) for response in responses if not response.speaks]
        return [(response, output) for response, output in outputs if output]

    def _retire(self, responses: Sequence[Response]) -> None:
        """Let go of responses that are done; their openings may serve others."""
        for response in [r for r in responses if r.done]:
            self._responses.remove(response)
            self._prefixes.store(response.prompt.opening, response.conversation.slot)
