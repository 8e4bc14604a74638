"""The engine: many replies, one batch. Admit, step, emit.

One step reads one token for every reply that needs text and speaks one frame of every reply that can;
rows are independent, so a reply sounds the same alone and in company.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from a2llm.affect import Affect
from a2llm.audio_codec.codec import AudioCodec
from a2llm.audio_codec.vocoder import Vocoder
from a2llm.clock import FrameClock
from a2llm.conversation import MAX_REPLY_TOKENS, Conversation, Reply, StepOutput, WordStream
from a2llm.language.affect_head import AffectHead
from a2llm.language.chat import ChatTemplate, Persona
from a2llm.language.runtime import Backbone
from a2llm.language.sampling import sample_top_p
from a2llm.language.tokenizer import TextTokenizer
from a2llm.layers.state import StreamState
from a2llm.motion_codec.codec import MotionCodec
from a2llm.talker.config import SamplingConfig
from a2llm.talker.model import Talker
from a2llm.talker.phones import GraphemeToPhoneme, PhoneStream, PhoneTable
from a2llm.talker.stream import TalkerStream, gather_frames, time_phones

PREFILL_CHUNK = 256


@dataclass(frozen=True)
class Parts:
    """Everything the engine computes with, loaded once."""

    backbone: Backbone
    tokenizer: TextTokenizer
    affect_head: AffectHead
    talker: Talker
    audio_codec: AudioCodec
    motion_codec: MotionCodec
    vocoder: Vocoder
    g2p: GraphemeToPhoneme
    phones: PhoneTable
    clock: FrameClock = field(default_factory=FrameClock)


@dataclass(frozen=True)
class TextSampling:
    """How the reply's words are drawn."""

    temperature: float = 0.6
    top_p: float = 0.9


class EngineFull(RuntimeError):
    """No free slot: every row is speaking or holds a conversation."""


class Engine:
    """Slots for conversations. A slot keeps its KV cache between turns."""

    def __init__(self, parts: Parts, slots: int = 1, context: int = 2048, sampling: SamplingConfig | None = None,
                 text_sampling: TextSampling | None = None) -> None:
        self.parts, self.context = parts, context
        self.sampling, self.text_sampling = sampling or SamplingConfig(), text_sampling or TextSampling()
        self.template = ChatTemplate(parts.tokenizer)
        self.cache = parts.backbone.new_cache(slots, context)
        self.talker_state = parts.talker.start(slots)
        self._free = list(range(slots))
        self.replies: list[Reply] = []

    def open_conversation(self, persona: Persona) -> Conversation:
        """Take a slot. Raises EngineFull when there is none."""
        if not self._free:
            raise EngineFull("all slots are taken")
        conversation = Conversation(persona, self.template, self._free.pop(0))
        assert conversation.row is not None
        self.cache.truncate(conversation.row, 0)
        return conversation

    def warm_up(self, conversation: Conversation) -> None:
        """Read the persona's instructions before the first turn."""
        if not conversation.cached:
            ids = self.template.system(conversation.persona)
            self._read_chunks(conversation, ids)

    def close_conversation(self, conversation: Conversation) -> None:
        """Give the slot back."""
        self.replies = [r for r in self.replies if r.conversation is not conversation]
        if conversation.row is not None:
            self._free.append(conversation.row)
            conversation.row = None

    def open_stream(self, conversation: Conversation, text: str, voice: Affect, seed: int,
                    affect: Affect | None = None) -> Reply:
        """Begin a reply to one user turn. `affect` overrides what the model would choose."""
        assert conversation.row is not None
        if conversation.cached == self.template.system(conversation.persona):
            feed = self.template.user(text, voice) + self.template.reply_start()
        else:
            feed = conversation.prompt(text, voice)[len(conversation.cached):]
        if len(conversation.cached) + len(feed) + MAX_REPLY_TOKENS > self.context:
            feed = self._forget(conversation) + self.template.user(text, voice) + self.template.reply_start()
        reply = self._reply(conversation, feed, seed)
        reply.forced, reply.voice = affect, voice
        self.parts.talker.restart(self.talker_state, conversation.row)
        self.replies.append(reply)
        return reply

    def _forget(self, conversation: Conversation) -> list[int]:
        """The context is used up: start it again from the instructions."""
        assert conversation.row is not None
        self.cache.truncate(conversation.row, 0)
        conversation.cached = []
        return self.template.system(conversation.persona)

    def _reply(self, conversation: Conversation, feed: list[int], seed: int) -> Reply:
        text, timing, _ = np.random.SeedSequence(seed).spawn(3)
        talker = TalkerStream(PhoneStream(self.parts.g2p, self.parts.phones), Affect(), self.parts.talker.config,
                              np.random.default_rng(timing))
        return Reply(conversation, feed, talker, WordStream(self.parts.tokenizer), self.parts.vocoder.start(seed),
                     np.random.default_rng(text), StreamState())

    def cancel(self, reply: Reply) -> None:
        """Stop a reply; what it has said stays in the conversation."""
        self.replies = [r for r in self.replies if r is not reply]

    def step(self) -> list[tuple[Reply, StepOutput]]:
        """Read, time, speak; returns what became ready."""
        for reply in [r for r in self.replies if len(r.feed) > 1]:
            self._read_chunks(reply.conversation, reply.feed[:-1])
            del reply.feed[:-1]
        self._read([r for r in self.replies if r.wants_text])
        for reply in self.replies:
            if reply.affect is not None:
                time_phones(self.parts.talker, reply.talker, self.sampling)
        out = self._speak([r for r in self.replies if r.can_speak])
        self.replies = [r for r in self.replies if not r.done]
        return out

    def _read_chunks(self, conversation: Conversation, ids: list[int]) -> None:
        """Prefill in bounded pieces."""
        for start in range(0, len(ids), PREFILL_CHUNK):
            self._forward([(conversation, ids[start:start + PREFILL_CHUNK])])

    def _forward(self, feeds: list[tuple[Conversation, list[int]]]) -> torch.Tensor:
        """Run the backbone; last hidden state [n, D] of every feed."""
        counts = torch.zeros(self.cache.rows, dtype=torch.long)
        ids = torch.zeros(self.cache.rows, max(len(f) for _, f in feeds), dtype=torch.long)
        for conversation, feed in feeds:
            assert conversation.row is not None
            counts[conversation.row] = len(feed)
            ids[conversation.row, : len(feed)] = torch.tensor(feed)
            conversation.cached = conversation.cached + feed
        hidden = self.parts.backbone.forward(ids, self.cache, counts)
        rows = torch.tensor([c.row for c, _ in feeds])
        return hidden[rows.to(hidden.device), (counts[rows] - 1).to(hidden.device)]

    def _read(self, replies: list[Reply]) -> None:
        """One token for each: feed the last one, sample the next."""
        if not replies:
            return
        hidden = self._forward([(r.conversation, r.feed) for r in replies])
        logits = self.parts.backbone.logits(hidden)
        stop = self.parts.tokenizer.turn_end
        for index, reply in enumerate(replies):
            if reply.affect is None:
                self._choose_affect(reply, hidden[index])
            else:
                reply.add_words(reply.words.push(reply.feed[0], hidden[index].cpu().numpy()))
            if not reply.spoken:
                logits[index, stop] = -torch.inf  # never silent
            logits[index, list(reply.banned())] = -torch.inf
        draws = torch.tensor([r.rng.random() for r in replies])
        tokens = sample_top_p(logits, draws, self.text_sampling.temperature, self.text_sampling.top_p)
        for reply, token in zip(replies, tokens.tolist(), strict=True):
            reply.feed = [token]
            if token == stop or len(reply.tokens) >= MAX_REPLY_TOKENS:
                reply.end_text()
            reply.tokens.append(token)

    def _choose_affect(self, reply: Reply, hidden: torch.Tensor) -> None:
        chosen = reply.forced or self.parts.affect_head.choose(hidden)
        resting = reply.conversation.persona.baseline
        reply.affect = chosen if chosen.index or reply.forced else resting
        reply.talker.affect = reply.affect

    def _speak(self, replies: list[Reply]) -> list[tuple[Reply, StepOutput]]:
        """One frame for each."""
        if not replies:
            return []
        batch, uniforms = gather_frames([r.talker for r in replies])
        rows = torch.tensor([r.conversation.row for r in replies])
        frame = self.parts.talker.step(batch, self.talker_state, rows, uniforms, self.sampling)
        voice = self.parts.audio_codec.synthesise(frame.audio_latent[:, None])
        out = []
        for index, reply in enumerate(replies):
            motion = self.parts.motion_codec.decode_step(frame.motion_codes[index][None, :, None], reply.motion_state)
            reply.held_motion.append(motion[0].numpy())
            pcm = self.parts.vocoder.decode(reply.vocoder, voice.hidden[index].numpy(), voice.f0_hz[index].numpy(),
                                            last=reply.done)
            if len(pcm):
                out.append((reply, self._emit(reply, pcm)))
        return out

    def _emit(self, reply: Reply, pcm: np.ndarray) -> StepOutput:
        """Pair the samples with their motion frames and the words that begin in them."""
        frames = len(pcm) // self.parts.clock.samples_per_motion_frame
        held = np.concatenate(reply.held_motion)
        motion, rest = held[:frames], held[frames:]
        reply.held_motion = [rest] if len(rest) else []
        begun = len(reply.spoken) if reply.done else reply.talker.words_begun()
        text = " ".join(reply.spoken[reply.emitted_words:begun])
        pts, reply.emitted_words = reply.emitted_samples, begun
        reply.emitted_samples += len(pcm)
        return StepOutput(text, pcm, motion, pts, reply.done)
