"""The trained parts on disk and in memory: one load and one save function each.

Default files lie beside the package in models/weights/default; A2_MODEL names another folder.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from a2llm.audio_codec.codec import AudioCodec, AudioCodecConfig
from a2llm.checkpoint import CheckpointError, Component, check_requires, load_component, save_component
from a2llm.clock import FrameClock
from a2llm.language.affect_head import AffectHead
from a2llm.motion_codec.codec import MotionCodec, MotionCodecConfig
from a2llm.talker.config import TalkerConfig
from a2llm.talker.model import Talker

FILES = {
    "audio_codec": "audio_codec.safetensors",
    "motion_codec": "motion_codec.safetensors",
    "talker": "talker.safetensors",
    "backbone_lora": "backbone_lora.safetensors",
}


def model_folder() -> Path:
    """Folder of the trained components: A2_MODEL, or the weights that ship."""
    own = os.environ.get("A2_MODEL")
    return Path(own) if own else Path(__file__).parents[1] / "weights" / "default"


def _half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """float32 as float16: half the size, far below the codecs' own error."""
    return {k: v.half() if v.dtype == torch.float32 else v for k, v in tensors.items()}


def _fill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    module.load_state_dict({k: v.float() if v.dtype == torch.float16 else v for k, v in tensors.items()})
    module.eval().requires_grad_(False)


def _tuples(config: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}


def save_audio_codec(codec: AudioCodec, file: Path, facts: Mapping[str, Any]) -> str:
    return save_component(file, "audio_codec", asdict(codec.config), _half(codec.state_dict()), facts)


def load_audio_codec(file: Path) -> AudioCodec:
    return _audio_codec(load_component(file, "audio_codec"))


def _audio_codec(part: Component) -> AudioCodec:
    codec = AudioCodec(AudioCodecConfig(**_tuples(part.config)))
    _fill(codec, part.tensors)
    return codec


def save_motion_codec(codec: MotionCodec, file: Path, facts: Mapping[str, Any]) -> str:
    return save_component(file, "motion_codec", asdict(codec.config), codec.state_dict(), facts)


def _motion_codec(part: Component) -> MotionCodec:
    codec = MotionCodec(MotionCodecConfig(**_tuples(part.config)))
    _fill(codec, part.tensors)
    return codec


def load_codecs(folder: Path) -> tuple[AudioCodec, MotionCodec, dict[str, str]]:
    """Both codecs of a folder, and their revisions by name, as a talker's `requires` has them."""
    audio, motion = (load_component(folder / FILES[name], name) for name in ("audio_codec", "motion_codec"))
    revisions = {part.metadata["component"]: str(part.metadata["revision"]) for part in (audio, motion)}
    return _audio_codec(audio), _motion_codec(motion), revisions


def frame_clock(audio: AudioCodecConfig, motion: MotionCodecConfig) -> FrameClock:
    """The rates of a checkpoint, which its codecs hold. Raises CheckpointError for codecs whose frames are not equally long."""
    clock = FrameClock(audio.sample_rate_hz, motion.motion_hz, motion.frames_per_code)
    if audio.samples_per_frame != clock.samples_per_motion_frame * motion.frames_per_code:
        sizes = f"{audio.samples_per_frame} samples of sound, {motion.frames_per_code} frames of motion at {motion.motion_hz} Hz"
        raise CheckpointError(f"the two codecs do not fit: an audio frame would be {sizes} at {audio.sample_rate_hz} Hz")
    return clock


def clock_of(audio: Component, motion: Component) -> FrameClock:
    """`frame_clock` of two components as they lie on disk."""
    return frame_clock(AudioCodecConfig(**_tuples(audio.config)), MotionCodecConfig(**_tuples(motion.config)))


def voices_of(talker: Component) -> tuple[str, ...]:
    """Names of a talker's voices, as it lies on disk."""
    return TalkerConfig(**_tuples(talker.config)).voices


def save_talker(talker: Talker, file: Path, facts: Mapping[str, Any]) -> str:
    return save_component(file, "talker", asdict(talker.config), _half(talker.state_dict()), facts)


def load_talker(file: Path, codecs: Mapping[str, str] | None = None) -> Talker:
    """`codecs` names the revisions loaded beside it; a talker of other codecs is refused."""
    part = load_component(file, "talker")
    if codecs is not None:
        check_requires(part.metadata, codecs)
    talker = Talker(TalkerConfig(**_tuples(part.config)))
    _fill(talker, {_present_name(name): tensor for name, tensor in part.tensors.items()})
    return talker


def _present_name(name: str) -> str:
    """Weights from before the connector call the style an affect, and the meaning a hidden state."""
    return re.sub(r"^(durations\.)?(affect|hidden)(?=[._])", lambda m: (m[1] or "") + {"affect": "style", "hidden": "meaning"}[m[2]], name)


def load_adapter(file: Path) -> tuple[dict[str, Tensor], float, AffectHead]:
    """The backbone's LoRA tensors (`<layer>.down` [rank, in], `<layer>.up` [out, rank]), their alpha, and the affect head."""
    part = load_component(file, "backbone_lora")
    lora = {k: v for k, v in part.tensors.items() if not k.startswith("head.")}
    head_state = {k[5:]: v for k, v in part.tensors.items() if k.startswith("head.")}
    head = AffectHead(head_state["inner.weight"].shape[1], head_state["inner.weight"].shape[0])
    _fill(head, head_state)
    return lora, float(part.config["alpha"]), head
