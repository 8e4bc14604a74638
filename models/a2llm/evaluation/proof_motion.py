"""Motion of the cases of a proof, made from one meaning or another: by a talker that reads states, or by one that sees only the sound.

Not the engine: every word is known at once and there is nobody to wait for; streams, durations and frames are the engine's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from a2llm.data.hidden import WordStates
from a2llm.evaluation.proof_cases import Case, Example, spans_of
from a2llm.motion_codec.codec import MotionCodec
from a2llm.talker.config import SamplingConfig, TalkerConfig
from a2llm.talker.model import SOUND_AHEAD, Talker
from a2llm.talker.phones import GraphemeToPhoneme, PhoneStream, PhoneTable
from a2llm.talker.runtime import TalkerRuntime
from a2llm.talker.stream import TalkerStream, gather_frames, time_phones

ROWS = 8  # that speak at once


@dataclass(frozen=True)
class Performance:
    """A case as it was performed: its motion and when its phrases are spoken; latents [T, D] of its sound."""

    example: Example
    latents: np.ndarray


@dataclass(frozen=True)
class Stage:
    """The models that perform."""

    talker: TalkerRuntime
    motion_codec: MotionCodec
    g2p: GraphemeToPhoneme
    phones: PhoneTable

    def perform(self, cases: Sequence[Case], states: Sequence[WordStates], seed: int) -> list[Performance]:
        """Speaks every case from the states beside it, free-running; equal seeds draw the same numbers, whatever the states."""
        made = list[Performance]()
        for start in range(0, len(cases), ROWS):
            made += self._perform(cases[start : start + ROWS], states[start : start + ROWS], seed)
        return made

    @torch.inference_mode()
    def _perform(self, cases: Sequence[Case], states: Sequence[WordStates], seed: int) -> list[Performance]:
        streams = [self._stream(case, known, seed) for case, known in zip(cases, states, strict=True)]
        state, sampling = self.talker.start(len(streams)), SamplingConfig(audio_levels=self.talker.config.audio_levels)
        latents: list[list[Tensor]] = [[] for _ in streams]
        codes: list[list[Tensor]] = [[] for _ in streams]
        while True:
            time_phones(self.talker, streams, sampling)
            rows = [row for row, stream in enumerate(streams) if stream.ready]
            if not rows:
                break
            frames, uniforms = gather_frames([streams[row] for row in rows])
            made = self.talker.step(frames, state, torch.tensor(rows), uniforms, sampling)
            for place, row in enumerate(rows):
                latents[row].append(made.audio_latent[place])
                codes[row].append(made.motion_codes[place])
        return [
            Performance(self._example(case, stream, torch.stack(moves)), torch.stack(sound).numpy())
            for case, stream, moves, sound in zip(cases, streams, codes, latents, strict=True)
        ]

    def _stream(self, case: Case, states: WordStates, seed: int) -> TalkerStream:
        timing, frames = (np.random.default_rng(s) for s in np.random.SeedSequence([seed, case.sample]).spawn(2))
        config = self.talker.config
        stream = TalkerStream(PhoneStream(self.g2p, self.phones), case.style, config, timing, frames, self.talker.connector)
        stream.hear(states.user)
        for index, word in enumerate(case.text.split()):
            known = states.words[index] if index < len(states.words) else np.zeros(config.state_size)
            stream.push_word(word, known)
        stream.end_text()
        return stream

    def _example(self, case: Case, stream: TalkerStream, codes: Tensor) -> Example:
        """codes [T, K] of the motion."""
        motion = self.motion_codec.decode(codes.T[None])[0].numpy()
        labels = case.taught.labels
        return Example(motion, spans_of(labels, np.array(stream.phones.words), np.array(stream.durations)), labels)


@torch.inference_mode()
def follow_sound(talker: Talker, codec: MotionCodec, heard: Sequence[Performance], seed: int) -> list[Performance]:
    """The same performances with the face of a talker that sees only their sound. Raises ValueError for a talker that reads words."""
    if not talker.config.only_sound:
        raise ValueError("this talker reads words: train `face_of_sound`")
    return [_follow(talker, codec, one, np.random.default_rng([seed, index])) for index, one in enumerate(heard)]


def _follow(talker: Talker, codec: MotionCodec, heard: Performance, rng: np.random.Generator) -> Performance:
    config, sound = talker.config, torch.from_numpy(heard.latents)
    ahead = torch.cat((sound[SOUND_AHEAD:], torch.zeros(min(SOUND_AHEAD, len(sound)), sound.shape[1])))
    state, row, codes = talker.start(1), torch.tensor([0]), list[Tensor]()
    for now, soon in zip(sound, ahead, strict=True):
        x = talker.trunk.step(talker.last_audio(soon[None]) + talker.last_motion(state.motion), state.trunk, row)
        uniforms = torch.from_numpy(rng.random((1, config.motion_levels), dtype=np.float32))
        drawn, state.motion = _move(talker, torch.cat((x, now[None]), 1), uniforms, config)
        codes.append(drawn[0])
    motion = codec.decode(torch.stack(codes).T[None])[0].numpy()
    return Performance(Example(motion, heard.example.spans, heard.example.labels), heard.latents)


def _move(talker: Talker, context: Tensor, uniforms: Tensor, config: TalkerConfig) -> tuple[Tensor, Tensor]:
    sampling, levels = SamplingConfig(), config.motion_levels
    temperatures = [sampling.motion_temperature] * levels
    return talker.motion_head.sample(context, talker.motion_codebooks, uniforms, temperatures, sampling.motion_min_p, levels)


def zeroed(cases: Sequence[Case]) -> list[WordStates]:
    """States that say nothing."""
    return [WordStates(np.zeros_like(case.states.words), np.zeros_like(case.states.user)) for case in cases]


def shuffled(cases: Sequence[Case], seed: int) -> list[WordStates]:
    """Every case with the states of another one, which begin again where it has more words; none keeps its own."""
    order = np.random.default_rng(seed).permutation(len(cases))
    given = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    made = []
    for index, case in enumerate(cases):
        other = cases[given[index]].states
        places = np.arange(len(case.states.words)) % max(1, len(other.words))
        made.append(WordStates(np.asarray(other.words)[places], other.user))
    return made
