"""A checkpoint's rates are those of its codecs, which have to agree."""

import pytest

from a2llm.audio_codec.codec import AudioCodecConfig
from a2llm.checkpoint import CheckpointError
from a2llm.clock import FrameClock
from a2llm.components import frame_clock
from a2llm.motion_codec.codec import MotionCodecConfig


def test_the_default_codecs_make_the_default_clock():
    assert frame_clock(AudioCodecConfig(), MotionCodecConfig()) == FrameClock()


def test_other_codecs_make_another_one():
    clock = frame_clock(AudioCodecConfig(bins=641, sample_rate_hz=16_000), MotionCodecConfig(motion_hz=25))
    assert clock == FrameClock(16_000, 25) and clock.audio_frame_hz == 12.5


def test_codecs_of_different_frames_are_refused():
    with pytest.raises(CheckpointError, match="1200 samples of sound, 2 frames of motion at 25 Hz"):
        frame_clock(AudioCodecConfig(), MotionCodecConfig(motion_hz=25))
