"""The usual way, from the same packages: an ear, then a language model, then a voice, then a face, each waiting for the one before.

The baseline of the response bench, made as fast as its structure allows: it shares our backbone, adapter and KV cache, and
speaks as soon as the first sentence's text is complete. Its voice is the stock one, whole sentences at a time; its face
is the motion teacher, which needs the finished sentence. No part of the product.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch

from a2llm import weights
from a2llm.affect import Affect
from a2llm.data.motion_teacher import teach_plain
from a2llm.data.speech_teacher import DB_PER_ENERGY, DURATIONS, ENERGY
from a2llm.engine import MAX_RESPONSE_TOKENS, Parts, TextSampling
from a2llm.evaluation.timing import audible_edges
from a2llm.language.chat import ChatTemplate, Persona
from a2llm.language.sampling import sample_top_p
from a2llm.language.spoken_text import to_spoken
from a2llm.layers.onnx_graph import OnnxGraph

_SENTENCE_ENDED = re.compile(r"[.!?][\"')]*\s")
_CONTEXT = 1024


@dataclass(frozen=True)
class CascadeTurn:
    """frl_ms: until the first sentence's sound and motion. whole_ms: until everything, which is all of its work.

    frl_tokens: tokens read before the first sentence could be spoken, the structural part. parts_s: seconds by part.
    """

    text: str
    frl_ms: float
    whole_ms: float
    frl_tokens: int
    lead_ms: float
    audio_s: float
    parts_s: dict[str, float]


class SentenceVoice:
    """The stock voice (hibari) with its timing read out beside the sound, one pass per sentence."""

    def __init__(self) -> None:
        import onnx
        from hibari import Hibari

        self._stock = Hibari()
        model = onnx.load(str(weights.resolve("voice")))
        for name in (DURATIONS, ENERGY):
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        self._graph = OnnxGraph(model.SerializeToString())  # one thread: its own default, and its fastest

    def say(self, sentence: str, seed: int) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """Sound [S] of each phrase of a sentence, and what the face needs to know: phones, durations, f0, energy."""
        from hibari import dsp

        rng = np.random.default_rng(seed)
        for phones in self._stock.phonemize(to_spoken(sentence)):
            ids = np.asarray([self._stock.ids(phones)], np.int64)
            outputs = self._graph.run({"ids": ids, "speed": np.ones(1, np.float32)})
            harmonic, turn, noise, free, phase, f0 = (output[0] for output in outputs[:6])
            units = outputs[6].astype(np.int64)
            units[1] += units[0]
            units[-2] += units[-1]
            known = "".join(p for p in phones if p in self._stock.vocab)
            energy = outputs[7][0] * DB_PER_ENERGY
            sound = dsp.synth(harmonic, turn, noise, free, phase, f0, rng)
            yield sound, {"phones": known, "durations": units[1:-1], "f0": f0, "energy": energy}


class Cascade:
    """One conversation's first turn, again and again: what is known before it stays in the KV cache."""

    def __init__(self, parts: Parts, persona: Persona, text_sampling: TextSampling | None = None) -> None:
        self._parts, self._template = parts, ChatTemplate(parts.tokenizer)
        self._sampling, self._persona = text_sampling or TextSampling(), persona
        self._voice = SentenceVoice()
        self._cache = parts.backbone.new_cache(1, _CONTEXT)
        self._opening = self._template.opening(persona.instructions)
        parts.backbone.forward(torch.tensor([self._opening]), self._cache)

    def respond(self, text: str, seed: int = 0) -> CascadeTurn:
        """Answer typed text completely; the clock starts with the text."""
        started, spent = perf_counter(), {"backbone": 0.0, "voice": 0.0, "motion": 0.0}
        first, sentences, samples = None, [], 0
        lead_samples = 0
        for sentence, tokens in self._sentences(text, seed, spent):
            sentences.append(sentence)
            pcm = self._speak(sentence, seed, spent)
            if first is None and len(pcm):
                first, lead_samples = (1000 * (perf_counter() - started), tokens), audible_edges(pcm)[0]
            samples += len(pcm)
        whole_ms = 1000 * (perf_counter() - started)
        frl_ms, frl_tokens = first or (whole_ms, 0)
        rate = self._parts.clock.sample_rate_hz
        return CascadeTurn(" ".join(sentences), frl_ms, whole_ms, frl_tokens, 1000 * lead_samples / rate, samples / rate, spent)

    def _sentences(self, text: str, seed: int, spent: dict[str, float]) -> Iterator[tuple[str, int]]:
        """Each sentence as soon as its text is complete, with the tokens read so far."""
        tokens, done = [], 0
        for token in self._tokens(text, seed, spent):
            tokens.append(token)
            whole = self._parts.tokenizer.decode(tokens)
            while ended := _SENTENCE_ENDED.search(whole, done):
                yield whole[done : ended.end()].strip(), len(tokens)
                done = ended.end()
        if rest := self._parts.tokenizer.decode(tokens)[done:].strip():
            yield rest, len(tokens)

    @torch.inference_mode()
    def _tokens(self, text: str, seed: int, spent: dict[str, float]) -> Iterator[int]:
        """The response's tokens, drawn as the engine draws them."""
        backbone, stop = self._parts.backbone, self._parts.tokenizer.turn_end
        self._cache.truncate(0, len(self._opening))
        feed = self._template.prompt(self._persona, text, Affect())[len(self._opening) :]
        rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[0])
        for count in range(MAX_RESPONSE_TOKENS):
            started = perf_counter()
            logits = backbone.logits(backbone.forward(torch.tensor([feed]), self._cache)[:, -1])
            if count == 0:
                logits[0, stop] = -torch.inf
            token = int(sample_top_p(logits, torch.tensor([rng.random()]), self._sampling.temperature, self._sampling.top_p)[0])
            spent["backbone"] += perf_counter() - started
            if token == stop:
                return
            feed = [token]
            yield token

    def _speak(self, sentence: str, seed: int, spent: dict[str, float]) -> np.ndarray:
        """Sound and motion of one sentence; both must be there before either is of use."""
        started, sounds, facts = perf_counter(), [], []
        for sound, fact in self._voice.say(sentence, seed):
            sounds.append(sound)
            facts.append(fact)
        voiced = perf_counter()
        for fact in facts:
            teach_plain(fact["phones"], fact["durations"], fact["f0"], fact["energy"], Affect(), seed)
        spent["voice"] += voiced - started
        spent["motion"] += perf_counter() - voiced
        return np.concatenate(sounds) if sounds else np.zeros(0, np.float32)
