"""The frame clock: the only place where samples, audio frames and motion frames are converted.

Time is counted in samples; wall-clock time never appears here.
"""

from dataclasses import dataclass

EAR_RATE_HZ = 16_000  # of all that hears: Whisper, the voice activity network, prosody
MOTION_RATES_HZ = (25, 30, 60)  # that motion may be asked for at, beside the checkpoint's own


@dataclass(frozen=True)
class FrameClock:
    """Rates of one checkpoint; the defaults are those of the weights that ship. One audio frame is one tick of the model."""

    sample_rate_hz: int = 24_000
    motion_hz: int = 40
    motion_per_audio: int = 2  # frames of motion in an audio frame

    def __post_init__(self) -> None:
        if min(self.sample_rate_hz, self.motion_hz, self.motion_per_audio) <= 0:
            raise ValueError("rates must be positive")
        if self.sample_rate_hz % self.motion_hz:
            raise ValueError("a motion frame must be a whole number of samples")

    @property
    def audio_frame_hz(self) -> float:
        """Ticks a second, not always whole: 12.5 with 25 frames of motion."""
        return self.motion_hz / self.motion_per_audio

    @property
    def samples_per_motion_frame(self) -> int:
        return self.sample_rate_hz // self.motion_hz

    def samples_to_ms(self, samples: int) -> float:
        return samples * 1000.0 / self.sample_rate_hz
