"""The complete configurations, as the weights that ship were trained. Debug variants: debug.py."""

from dataclasses import replace

from a2llm.data.annotation import FUNCTIONS
from a2llm.data.stages import DataPlan
from a2llm.talker.config import MEANING_DEPTHS, TalkerConfig
from a2llm.training.affect_classifier import ClassifierTraining
from a2llm.training.backbone import BackboneTraining
from a2llm.training.loop import LoopConfig
from a2llm.training.motion_codec import MotionCodecTraining
from a2llm.training.motion_judge import JudgeTraining
from a2llm.training.talker import TalkerTraining
from a2llm.training.user_affect import HeadConfig


def backbone() -> BackboneTraining:
    return BackboneTraining()


def audio_codec() -> DataPlan:
    """The plan whose codec fields say how it is fitted."""
    return DataPlan()


def motion_codec() -> MotionCodecTraining:
    return MotionCodecTraining()


TALKER = TalkerConfig(depths=MEANING_DEPTHS, connector_width=256, functions=tuple(FUNCTIONS), expressive=True)  # voices: of its data


def talker() -> TalkerTraining:
    loop = LoopConfig(steps=12_000, peak_lr=1.2e-3, warmup_steps=200, save_every_s=240.0, log_every=25)
    return TalkerTraining(model=TALKER, loop=loop)


def face_of_sound() -> TalkerTraining:
    """It sees the true sound when it is compared, so its history of sound carries no noise."""
    whole = talker()
    model = replace(whole.model, only_sound=True, connector_width=0)
    return replace(whole, model=model, only_motion=True, truncated=0.0, noisy_rows=0.0, dropped=0.0)


def user_affect() -> HeadConfig:
    return HeadConfig()


def motion_judge() -> JudgeTraining:
    return JudgeTraining()


def affect_classifier() -> ClassifierTraining:
    return ClassifierTraining()
