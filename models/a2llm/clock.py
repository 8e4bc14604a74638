"""The frame clock: the only place where samples, audio frames and motion frames are converted.

Time is counted in samples; wall-clock time never appears here.
"""

from dataclasses import dataclass

MOTION_RATES_HZ = (25, 30, 60)  # that motion may be asked for at, beside the checkpoint's own


@dataclass(frozen=True)
class FrameClock:
    """Rates of one checkpoint. One audio frame is one tick of the model."""

    sample_rate_hz: int = 24_000
    audio_frame_hz: int = 20
    motion_per_audio: int = 2

    def __post_init__(self) -> None:
        if min(self.sample_rate_hz, self.audio_frame_hz, self.motion_per_audio) <= 0:
            raise ValueError("rates must be positive")
        if self.sample_rate_hz % (self.audio_frame_hz * self.motion_per_audio):
            raise ValueError("a motion frame must be a whole number of samples")

    @property
    def motion_hz(self) -> int:
        return self.audio_frame_hz * self.motion_per_audio

    @property
    def samples_per_motion_frame(self) -> int:
        return self.sample_rate_hz // self.motion_hz

    def samples_to_ms(self, samples: int) -> float:
        return samples * 1000.0 / self.sample_rate_hz
