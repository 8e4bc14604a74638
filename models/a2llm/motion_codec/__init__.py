"""The motion codec: coefficients <-> codes. It does not know the audio codec."""

from a2llm.motion_codec.codec import MotionCodec, MotionCodecConfig

__all__ = ["MotionCodec", "MotionCodecConfig"]
