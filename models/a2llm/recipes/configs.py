"""The complete configurations, as the weights that ship were trained. Debug variants: debug.py."""

from dataclasses import dataclass, field

from a2llm.data.stages import DataPlan
from a2llm.motion_codec.codec import MotionCodecConfig
from a2llm.training.backbone import BackboneTraining
from a2llm.training.loop import LoopConfig
from a2llm.training.motion_codec import MotionTrainingConfig
from a2llm.training.talker import TalkerTraining
from a2llm.training.user_affect import HeadConfig


@dataclass(frozen=True)
class MotionCodecRecipe:
    """Shape, loss and length of the motion codec's training."""

    model: MotionCodecConfig = field(default_factory=MotionCodecConfig)
    training: MotionTrainingConfig = field(default_factory=lambda: MotionTrainingConfig(batch=32, window_frames=64))
    steps: int = 1600
    seed: int = 0


@dataclass(frozen=True)
class ClassifierRecipe:
    """Length of the judge's training."""

    steps: int = 300
    seed: int = 0


def backbone() -> BackboneTraining:
    return BackboneTraining()


def audio_codec() -> DataPlan:
    """The plan whose codec fields say how it is fitted."""
    return DataPlan()


def motion_codec() -> MotionCodecRecipe:
    return MotionCodecRecipe()


def talker() -> TalkerTraining:
    return TalkerTraining(loop=LoopConfig(steps=4200, peak_lr=1.2e-3, warmup_steps=150, save_every_s=240.0, log_every=25))


def user_affect() -> HeadConfig:
    return HeadConfig()


def affect_classifier() -> ClassifierRecipe:
    return ClassifierRecipe()
