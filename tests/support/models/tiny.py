"""Tiny random models with the real shapes of everything around them, and the real voice's letters-to-phones.

Every builder is deterministic. Sizes are chosen so that a whole response takes a fraction of a second.
"""

from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from a2llm import weights
from a2llm.audio_codec.codec import AudioCodec, AudioCodecConfig
from a2llm.audio_codec.frames import VOICING_SCALE
from a2llm.audio_codec.vocoder import Vocoder
from a2llm.engine import Parts
from a2llm.language.affect_head import AffectHead
from a2llm.language.config import LlamaConfig
from a2llm.language.llama_folder import random_llama
from a2llm.language.tokenizer import TextTokenizer
from a2llm.language.torch_backbone import TorchBackbone
from a2llm.motion_codec import MotionCodec, MotionCodecConfig
from a2llm.talker.config import TalkerConfig
from a2llm.talker.model import FrameBatch, Talker
from a2llm.talker.openvino_talker import OpenVINOTalker
from a2llm.talker.phones import GraphemeToPhoneme, PhoneTable, load_g2p
from a2llm.talker.torch_talker import TorchTalker

HIDDEN = 48
VOCABULARY = 500
TALKER = TalkerConfig(
    width=32,
    layers=2,
    heads=2,
    window=20,
    phone_width=8,
    count_width=4,
    hidden_size=HIDDEN,
    audio_size=24,
    audio_latent=16,
    motion_size=16,
    motion_latent=8,
    motion_width=16,
    duration_width=16,
)
MEANING = replace(
    TALKER,
    depths=(0.5, 1.0),
    connector_width=16,
    connector_heads=2,
    functions=("inform", "ask", "comfort"),
    voices=("heart", "michael"),
    expressive=True,
)
CODEC = AudioCodecConfig(size=24, latent=16, width=12)
MOTION = MotionCodecConfig(width=16, latent=8, size=16)


@cache
def tokenizer() -> TextTokenizer:
    """A byte-level BPE of a few hundred tokens, learned from dialogues once, so that data which grow change no test."""
    return TextTokenizer(Path(__file__).parent / "tiny_tokenizer")


@cache
def backbone(depths: tuple[float, ...] = (1.0,)) -> TorchBackbone:
    """A Llama of two layers that writes random tokens."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=64,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=12,
        tie_embeddings=False,
    )
    return TorchBackbone(random_llama(config), depths)


@cache
def phones() -> PhoneTable:
    return PhoneTable.load(weights.resolve("g2p"))


@cache
def g2p() -> GraphemeToPhoneme:
    return load_g2p(weights.resolve("g2p"))


def frozen(module: torch.nn.Module) -> torch.nn.Module:
    return module.eval().requires_grad_(False)


@cache
def talker(config: TalkerConfig = TALKER) -> Talker:
    """A talker whose codes vary and whose phones are short."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made = Talker(config)
        frozen(made)
        own = config.audio_latent == TALKER.audio_latent
        made.audio_codebooks.copy_(audio_codec().codebooks) if own else made.audio_codebooks.normal_()
        made.motion_codebooks.copy_(motion_codec().quantizer.codebooks) if own else made.motion_codebooks.normal_()
        for vector in (p for p in made.parameters() if p.ndim == 1):  # norms and biases that do something
            vector.add_(torch.randn_like(vector) * 0.1)
        for logits in (*made.audio_head.logits, *made.motion_head.logits):
            logits.weight.mul_(4)
        made.durations.out.bias.copy_(-(torch.arange(24.0) - 1.5).abs())
        made.half().float()  # as a checkpoint keeps it
    return made


@cache
def fast_talker(config: TalkerConfig = TALKER) -> OpenVINOTalker:
    return OpenVINOTalker(talker(config))


@cache
def audio_codec() -> AudioCodec:
    """A codec with an orthonormal basis, voiced at 200 Hz on average."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        codec = AudioCodec(CODEC)
        frozen(codec)
        codec.basis.copy_(torch.linalg.qr(torch.randn(CODEC.vector, CODEC.latent))[0])
        codec.mean[CODEC.stack * CODEC.width + 1 :: 2] = 0.9 * VOICING_SCALE
        codec.codebooks.copy_(torch.randn(codec.codebooks.shape) * 0.5 ** torch.arange(CODEC.levels)[:, None, None])
        codec.head_weight.normal_(std=0.1)
        codec.head_bias.fill_(-4.0)
        codec.half().float()  # as a checkpoint keeps it
    return codec


@cache
def motion_codec() -> MotionCodec:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        codec = MotionCodec(MOTION)
        frozen(codec)
        codec.quantizer.codebooks.normal_()
    return codec


@cache
def vocoder() -> Vocoder:
    return Vocoder(audio_codec().head_weight.numpy(), audio_codec().head_bias.numpy())


@cache
def parts(runtime: str = "openvino", config: TalkerConfig = TALKER) -> Parts:
    """A whole tiny model; `runtime`, of the talker and the codecs, is openvino or torch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        head = AffectHead(HIDDEN)
        frozen(head)
    speaker, audio, motion = TorchTalker(talker(config), "cpu"), audio_codec(), motion_codec()
    if runtime == "openvino":
        speaker, audio, motion = fast_talker(config), deepcopy(audio), deepcopy(motion)
        audio.use_openvino()
        motion.use_openvino()
    return Parts(backbone(config.depths), tokenizer(), head, speaker, audio, motion, vocoder(), g2p(), phones())


def draw_frames(rows: int, generator: torch.Generator, config: TalkerConfig = TALKER) -> FrameBatch:
    """Random conditioning of one frame per row; some rows have no meaning."""
    phones = torch.randint(config.phones, (rows, 14), generator=generator)
    counts = torch.randint(16, (rows, 4), generator=generator)
    meaning = torch.randn(rows, config.meaning_size, generator=generator) * (torch.rand(rows, 1, generator=generator) > 0.3)
    return FrameBatch(phones, counts, meaning, torch.rand(rows, config.style_size, generator=generator))
