"""The complete configurations, as the weights that ship were trained. Debug variants: debug.py."""

from a2llm.data.stages import DataPlan
from a2llm.training.affect_classifier import ClassifierTraining
from a2llm.training.backbone import BackboneTraining
from a2llm.training.loop import LoopConfig
from a2llm.training.motion_codec import MotionCodecTraining
from a2llm.training.talker import TalkerTraining
from a2llm.training.user_affect import HeadConfig


def backbone() -> BackboneTraining:
    return BackboneTraining()


def audio_codec() -> DataPlan:
    """The plan whose codec fields say how it is fitted."""
    return DataPlan()


def motion_codec() -> MotionCodecTraining:
    return MotionCodecTraining()


def talker() -> TalkerTraining:
    return TalkerTraining(loop=LoopConfig(steps=4200, peak_lr=1.2e-3, warmup_steps=150, save_every_s=240.0, log_every=25))


def user_affect() -> HeadConfig:
    return HeadConfig()


def affect_classifier() -> ClassifierTraining:
    return ClassifierTraining()
