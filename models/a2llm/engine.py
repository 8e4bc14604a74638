"""The engine: many replies, one batch. Admit, step, emit.

One step reads one token for every reply that needs text and, beside that, speaks one frame of every reply that can;
rows are independent, so a reply sounds the same alone and in company. A reply is asked for with the whole conversation;
what its slot's KV cache already holds is not read again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from a2llm.audio_codec.codec import AudioCodec
from a2llm.audio_codec.vocoder import Vocoder
from a2llm.clock import FrameClock
from a2llm.components import frame_clock
from a2llm.conversation import MAX_REPLY_TOKENS, Conversation, Marks, Reply
from a2llm.language.affect_head import AffectHead
from a2llm.language.chat import ChatTemplate, personas
from a2llm.language.constrained import CALL_TOKENS, CallStream
from a2llm.language.runtime import Backbone
from a2llm.language.sampling import sample_top_p
from a2llm.language.tokenizer import TextTokenizer
from a2llm.language.tool_use import ToolUse
from a2llm.language.tools import choose_tools
from a2llm.language.turn_end import TurnEnd, common_prefix
from a2llm.language.word_stream import PlainWords, WordStream
from a2llm.layers.device import upload
from a2llm.messages import Affect, Item, Persona, ResponseOptions, StepOutput, UserTurn
from a2llm.motion_codec.codec import MotionCodec
from a2llm.rig import ARKIT61
from a2llm.talker.config import SamplingConfig
from a2llm.talker.phones import GraphemeToPhoneme, PhoneStream, PhoneTable
from a2llm.talker.runtime import TalkerRuntime
from a2llm.talker.stream import TalkerStream, gather_frames, time_phones
from a2llm.voices import FrameRequest, Voices

_NO_SOUND, _NO_MOTION = np.zeros(0, np.float32), np.zeros((0, ARKIT61.size), np.float32)


@dataclass(frozen=True)
class Parts:
    """Everything the engine computes with, loaded once."""

    backbone: Backbone
    tokenizer: TextTokenizer
    affect_head: AffectHead
    talker: TalkerRuntime
    audio_codec: AudioCodec
    motion_codec: MotionCodec
    vocoder: Vocoder
    g2p: GraphemeToPhoneme
    phones: PhoneTable

    @cached_property
    def clock(self) -> FrameClock:
        """The rates that the codecs have."""
        return frame_clock(self.audio_codec.config, self.motion_codec.config)


@dataclass(frozen=True)
class TextSampling:
    """How the reply's words are drawn."""

    temperature: float = 0.4
    top_p: float = 0.9
    max_tokens: int = MAX_REPLY_TOKENS


class EngineFull(RuntimeError):
    """No free slot: every row is speaking or holds a conversation."""


class Engine:
    """Slots for conversations. A slot keeps its KV cache between turns."""

    def __init__(
        self,
        parts: Parts,
        slots: int = 1,
        context: int = 2048,
        sampling: SamplingConfig | None = None,
        text_sampling: TextSampling | None = None,
    ) -> None:
        self.parts, self.context = parts, context
        self.sampling, self.text_sampling = sampling or SamplingConfig(), text_sampling or TextSampling()
        self.template = ChatTemplate(parts.tokenizer)
        self.cache = parts.backbone.new_cache(slots, context)
        self.voices = Voices(parts.talker, parts.audio_codec, parts.motion_codec, parts.vocoder, slots)
        self._free = list(range(slots))
        self.replies: list[Reply] = []

    def open_conversation(self, persona: Persona) -> Conversation:
        """Take a slot. Raises EngineFull when there is none."""
        if not self._free:
            raise EngineFull("all slots are taken")
        conversation = Conversation(persona, self.template, self._free.pop(0))
        self.cache.truncate(conversation.row, 0)
        return conversation

    @torch.inference_mode()
    def warm_up(self, conversation: Conversation) -> None:
        """Read what is known before the first turn."""
        unread = [] if conversation.cached else conversation.opening
        for start in range(0, len(unread), self._at_once):
            self._forward([(conversation, unread[start : start + self._at_once])])

    def close_conversation(self, conversation: Conversation) -> None:
        """Give the slot back; a reply in progress is cancelled. Closing twice is harmless."""
        self._stop_speaking(conversation)
        if not conversation.closed:
            self._free.append(conversation.row)
            conversation.closed = True

    def open_stream(self, conversation: Conversation, text: str, voice: Affect, seed: int, affect: Affect | None = None) -> Reply:
        """Begin a reply to one user turn; the conversation keeps what was said before. One still in progress is cancelled.
        `affect` overrides what the model would choose. Raises ValueError for a closed conversation."""
        self._stop_speaking(conversation)
        before = [conversation.last_reply.said] if conversation.last_reply else []
        conversation.items += [*before, UserTurn(text, voice)]
        reply = self.respond(conversation, conversation.items, ResponseOptions(seed, affect=affect))
        conversation.last_reply = reply
        return reply

    def respond(self, conversation: Conversation, items: Sequence[Item], options: ResponseOptions) -> Reply:
        """Begin a reply to a whole conversation; one still in progress in the same slot is cancelled.

        Raises ValueError for a closed conversation, for tools that cannot be kept to, for instructions too long, and for
        tokens that cannot have been drawn.
        """
        admitted_s = perf_counter()
        if conversation.closed:
            raise ValueError("the conversation is closed")
        tools = choose_tools(options.tools, options.tool_choice)
        speaks = options.resume is not None and bool(options.resume.tokens)  # it was no call, so it is none here
        asked = tools and not speaks
        call = self._tools.open_call(tools, options.tool_choice, conversation.persona.instructions, items) if asked else None
        prompt = conversation.prompt(items, tools, self.context - self._most_tokens(call, options))
        self._check_tokens(prompt, options)
        self._stop_speaking(conversation)
        reply = self._reply(conversation, options, call)
        self._feed(reply, prompt)
        reply.marks = Marks(admitted_s)
        self.voices.restart(conversation.row)
        self.replies.append(reply)
        return reply

    def turn_end_probability(self, text: str) -> float:
        """P in 0..1 that the user's turn ends behind a running transcript. Touches no conversation; call it between steps."""
        return self._turn_end.probability(text)

    @cached_property
    def _turn_end(self) -> TurnEnd:
        return TurnEnd(self.parts.backbone, self.parts.tokenizer, next(iter(personas().values())))

    @cached_property
    def _tools(self) -> ToolUse:
        return ToolUse(self.parts.backbone, self.parts.tokenizer, self.template)

    def _most_tokens(self, call: CallStream | None, options: ResponseOptions) -> int:
        """Of a call or of a reply's text; kept free behind the prompt."""
        return CALL_TOKENS if call else min(options.max_output_tokens or self.text_sampling.max_tokens, self.context // 2)

    def _check_tokens(self, prompt: Sequence[int], options: ResponseOptions) -> None:
        drawn = options.resume.tokens if options.resume else ()
        if len(drawn) > self._most_tokens(None, options):
            raise ValueError(f"a reply of {len(drawn)} tokens cannot go on: it may have {self._most_tokens(None, options)}")
        if not all(0 <= token < self.parts.backbone.config.vocab_size for token in (*prompt, *drawn)):
            raise ValueError("there is a token that is not in the vocabulary")

    def _stop_speaking(self, conversation: Conversation) -> None:
        for reply in [r for r in self.replies if r.conversation is conversation]:
            self.cancel(reply)

    def _feed(self, reply: Reply, prompt: list[int]) -> None:
        """Leave of the cache what the prompt begins with; the rest, at least one token, is to be read."""
        conversation = reply.conversation
        if reply.call is not None:
            prompt = prompt + self.template.call_start()
        kept = min(common_prefix(conversation.cached, prompt), len(prompt) - 1)
        self.cache.truncate(conversation.row, kept)
        conversation.cached = prompt[:kept]
        reply.feed, reply.input_tokens, reply.cached_tokens = prompt[kept:], len(prompt), kept

    def _reply(self, conversation: Conversation, options: ResponseOptions, call: CallStream | None) -> Reply:
        text, timing, frames = (np.random.default_rng(s) for s in np.random.SeedSequence(options.seed).spawn(3))
        talker = TalkerStream(PhoneStream(self.parts.g2p, self.parts.phones), Affect(), self.parts.talker.config, timing, frames)
        words = WordStream(self.parts.tokenizer) if options.audio else PlainWords(self.parts.tokenizer)
        reply = Reply(conversation, [], talker, words, self.parts.vocoder.start(options.seed), text, options, call)
        if options.resume:
            reply.emitted_words, reply.told_tokens = options.resume.words, len(options.resume.tokens)
        return reply

    def cancel(self, reply: Reply) -> None:
        """Stop a reply; what it has said stays in the conversation."""
        reply.cancelled = not reply.done
        self.replies = [r for r in self.replies if r is not reply]

    @torch.inference_mode()
    def step(self, resting: Sequence[Reply] = ()) -> list[tuple[Reply, StepOutput]]:
        """Read and speak; returns what became ready. Who takes part is in `replies`, which a caller may change; those that
        it left out for now, `resting`, say nothing but may read along."""
        speakers, readers = self._timed(), self._readers(resting)
        if speakers and readers and self.parts.talker.beside:
            out = self._speak(speakers, meanwhile=lambda: self._read(readers))
        else:
            self._read(readers)
            out = self._speak(self._timed())
        out += self._write([r for r in self.replies if not r.speaks])
        self.replies = [r for r in self.replies if not r.done]
        return out

    def _timed(self) -> list[Reply]:
        """Who can speak the next frame, once the phones in it have their durations."""
        time_phones(self.parts.talker, [r.talker for r in self.replies if r.speaks and r.affect is not None], self.sampling)
        return [r for r in self.replies if r.can_speak]

    def _readers(self, resting: Sequence[Reply]) -> list[Reply]:
        """Who reads now: who needs a token, and with them who will need one soon. A pass over the weights costs little more
        for eight rows than for two."""
        needy = self._prompts() + [r for r in self.replies if r.affect is not None and r.wants_text]
        return needy + [r for r in (*self.replies, *resting) if r.reads_ahead and r not in needy] if needy else []

    def _prompts(self) -> list[Reply]:
        """Whose prompt is read on: as much as does not hold up those who speak, and who needs fewer passes first, so that long prompts
        hold up no short one. Slots bound how many short ones a long one waits for."""
        chosen, room = list[Reply](), self._at_once
        for reply in sorted((r for r in self.replies if r.affect is None), key=lambda r: -(-len(r.feed) // self._at_once)):
            if chosen and len(reply.feed) > room:
                break
            chosen, room = [*chosen, reply], room - len(reply.feed)
        return chosen

    @property
    def _at_once(self) -> int:
        return self.parts.backbone.tokens_at_once

    def _forward(self, feeds: list[tuple[Conversation, list[int]]]) -> torch.Tensor:
        """Run the backbone; hidden states [n, T, D] of n feeds, T the longest."""
        counts = torch.zeros(self.cache.rows, dtype=torch.long)
        ids = torch.zeros(self.cache.rows, max(len(f) for _, f in feeds), dtype=torch.long)
        for conversation, feed in feeds:
            counts[conversation.row] = len(feed)
            ids[conversation.row, : len(feed)] = torch.tensor(feed)
            conversation.cached = conversation.cached + feed
        hidden = self.parts.backbone.forward(ids, self.cache, counts)
        return hidden[upload(torch.tensor([c.row for c, _ in feeds]), hidden.device)]

    def _read(self, replies: Sequence[Reply]) -> None:
        """Feed what is unread, or of what is too long for a pass a piece; who has read all of it gets a token."""
        if not replies:
            return
        whole = [r for r in replies if len(r.feed) <= self._at_once]
        begun = [r for r in replies if len(r.feed) > self._at_once]
        hidden = self._forward([(r.conversation, r.feed[: self._at_once]) for r in (*whole, *begun)])
        for reply in begun:
            reply.feed = reply.feed[self._at_once :]
        if whole:
            self._next(whole, hidden[: len(whole)])

    def _next(self, replies: Sequence[Reply], hidden: torch.Tensor) -> None:
        """Sample one token for each from the hidden states [n, T, D] of what they have read."""
        ends = upload(torch.tensor([len(r.feed) - 1 for r in replies]), hidden.device)
        last = hidden[torch.arange(len(replies), device=hidden.device), ends]
        logits = self.parts.backbone.logits(last)
        width = max((len(r.feed) for r in replies if r.affect is not None), default=0)  # of a prompt, only the last state counts
        for reply, states in zip(replies, torch.cat((last[:, None], hidden[:, :width]), 1).cpu(), strict=True):
            if reply.affect is None:
                self._begin(reply, states[0])
            elif reply.call is None:
                for token, state in zip(reply.feed, states[1:].numpy(), strict=False):
                    reply.add_words(reply.words.push(token, state))
        self._forbid(replies, logits)
        for reply, token in zip(replies, self._draw(replies, logits), strict=True):
            self._take(reply, token)

    def _forbid(self, replies: Sequence[Reply], logits: torch.Tensor) -> None:
        """Leave in the logits [n, V] what may come next."""
        banned = [self._banned(reply, logits.shape[1]) for reply in replies]
        rows = np.repeat(np.arange(len(replies)), [len(tokens) for tokens in banned])
        if len(rows):
            places = upload(torch.from_numpy(np.stack((rows, np.concatenate(banned)))), logits.device)
            logits[places[0], places[1]] = -torch.inf

    def _banned(self, reply: Reply, vocabulary: int) -> NDArray[np.int64]:
        if reply.call is not None:
            return np.flatnonzero(~reply.call.allowed()[:vocabulary])
        return np.array(reply.banned() + ([self.parts.tokenizer.turn_end] if reply.silent else []), np.int64)

    def _draw(self, replies: Sequence[Reply], logits: torch.Tensor) -> list[int]:
        """One token for each from logits [n, V]; a call's is always the likeliest."""
        own = self.text_sampling.temperature
        wishes = [0.0 if r.call else own if r.options.temperature is None else r.options.temperature for r in replies]
        draws, heat = upload(torch.tensor([[r.rng.random() for r in replies], wishes], dtype=torch.float32), logits.device)
        return sample_top_p(logits, draws, heat, self.text_sampling.top_p).tolist()

    def _take(self, reply: Reply, token: int) -> None:
        """Add a drawn token to the reply."""
        reply.marks.first_token_s = reply.marks.first_token_s or perf_counter()
        if reply.resume():
            return
        reply.feed = [token, *(reply.call.push(token) if reply.call else ())]
        reply.tokens += reply.feed
        stopped = reply.call.done if reply.call else token == self.parts.tokenizer.turn_end
        if stopped or len(reply.tokens) >= self._most_tokens(reply.call, reply.options):
            reply.cut = not stopped
            reply.end_text()

    def _begin(self, reply: Reply, hidden: torch.Tensor) -> None:
        """The prompt is read: choose how the reply is meant."""
        reply.marks.prefill_done_s = perf_counter()
        forced = reply.options.affect
        chosen = forced or self.parts.affect_head.choose(hidden)
        resting = reply.conversation.persona.affect_baseline or Affect()
        reply.affect = reply.talker.affect = chosen if chosen.index or forced else resting

    def _write(self, replies: Sequence[Reply]) -> list[tuple[Reply, StepOutput]]:
        """What replies without a voice have to say."""
        out = []
        for reply in replies:
            words, reply.emitted_words = reply.spoken[reply.emitted_words :], max(reply.emitted_words, len(reply.spoken))
            if words or reply.done:
                call = reply.call.call() if reply.call and reply.call.done else None
                out.append((reply, StepOutput(" ".join(words), _NO_SOUND, _NO_MOTION, 0, reply.done, call, self._fresh_tokens(reply))))
        return out

    def _speak(self, replies: Sequence[Reply], meanwhile: Callable[[], None] | None = None) -> list[tuple[Reply, StepOutput]]:
        """One frame for each, and `meanwhile` something else."""
        if not replies:
            return []
        frames, uniforms = gather_frames([r.talker for r in replies])
        rows, last = torch.tensor([r.conversation.row for r in replies]), [r.done for r in replies]
        request = FrameRequest(frames, uniforms, rows, list(zip([r.vocoder for r in replies], last, strict=True)))
        spoken = self.voices.speak(request, self.sampling, meanwhile)
        out = []
        for reply, ends, motion, pcm in zip(replies, last, spoken.motion, spoken.sound, strict=True):
            reply.held_motion.append(motion)
            if len(pcm):
                out += [(reply, output) for output in self._emit(reply, pcm, ends)]
        return out

    def _emit(self, reply: Reply, pcm: np.ndarray, last: bool) -> list[StepOutput]:
        """Pair the samples with their motion frames and the words that begin in them; nothing of what was delivered before."""
        unit = self.parts.clock.samples_per_motion_frame
        pts, until = reply.emitted_samples, reply.emitted_samples + len(pcm)
        held = np.concatenate(reply.held_motion)
        motion, reply.held_motion = held[: len(pcm) // unit], [held[len(pcm) // unit :]]
        begun = len(reply.spoken) if last else reply.talker.words_begun(until // unit)
        reply.emitted_samples = until
        known = min(max(0, (reply.options.resume.samples if reply.options.resume else 0) - pts), len(pcm)) // unit
        if known * unit == len(pcm) and not last:
            return []
        text = " ".join(reply.spoken[reply.emitted_words : begun])
        reply.marks.first_audio_s = reply.marks.first_audio_s or perf_counter()
        reply.emitted_words = max(begun, reply.emitted_words)
        pcm, motion, pts = pcm[known * unit :], motion[known:], pts + known * unit
        return [StepOutput(text, pcm, motion, pts, last, tokens=self._fresh_tokens(reply))]

    def _fresh_tokens(self, reply: Reply) -> tuple[int, ...]:
        return reply.tell_tokens(self.parts.tokenizer.turn_end)
