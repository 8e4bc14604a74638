"""A whole model of random numbers, small enough to load in a second: it has the right files and speaks noise."""

from pathlib import Path

import torch

from a2llm.audio_codec.codec import AudioCodec, AudioCodecConfig
from a2llm.checkpoint import save_component
from a2llm.clock import FrameClock
from a2llm.components import FILES, save_audio_codec, save_motion_codec, save_talker
from a2llm.language.affect_head import AffectHead
from a2llm.motion_codec.codec import MotionCodec, MotionCodecConfig
from a2llm.talker.config import TalkerConfig
from a2llm.training.talker import new_talker

HIDDEN = 64  # of gguf_mini
TALKER = TalkerConfig(
    width=32, layers=1, heads=2, window=16, phone_width=8, count_width=4, hidden_size=HIDDEN, motion_width=16, duration_width=16
)


def write_tiny_model(folder: Path, seed: int = 0, clock: FrameClock | None = None) -> Path:
    """Fill `folder` with the four trained components, made for the backbone of gguf_mini, with the rates of `clock`."""
    clock = clock or FrameClock()
    torch.manual_seed(seed)
    audio = _audio_codec(clock)
    motion = MotionCodec(MotionCodecConfig(motion_hz=clock.motion_hz, width=16, latent=8, size=8)).eval()
    requires = {
        "audio_codec": save_audio_codec(audio, folder / FILES["audio_codec"], {}),
        "motion_codec": save_motion_codec(motion, folder / FILES["motion_codec"], {}),
    }
    talker = new_talker(TALKER, audio.codebooks, motion.quantizer.codebooks, 0)
    torch.nn.init.zeros_(talker.durations.out.weight)
    talker.durations.out.bias.data = torch.tensor([8.0, 9.0, 9.0] + [-9.0] * 21)  # short phones: short tests
    save_talker(talker, folder / FILES["talker"], {"requires": requires})
    head = {f"head.{name}": tensor for name, tensor in AffectHead(HIDDEN).state_dict().items()}
    save_component(folder / FILES["backbone_lora"], "backbone_lora", {"rank": 1, "alpha": 1.0}, head)
    return folder


def _audio_codec(clock: FrameClock) -> AudioCodec:
    bins = clock.samples_per_motion_frame + 1  # two frames of motion last as long as four hops, which are a window
    codec = AudioCodec(AudioCodecConfig(size=8, latent=16, bins=bins, sample_rate_hz=clock.sample_rate_hz))
    codec.basis.normal_(0, 0.1)
    codec.codebooks.normal_()
    codec.head_bias.fill_(-4.0)
    return codec
