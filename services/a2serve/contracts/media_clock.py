"""The clock of sound between clients and the gateway: PCM16, mono, at one rate, whatever rate a model has.

`audio/pcm` in both directions and `pts_samples` of media packets count in it. A model's sound is brought to it where packets come
in (`gateway.model_client.wire_rate`).
"""

RATE_HZ = 24_000  # what `rate` of session_config.AudioPcm may be: a test compares
BYTES_PER_SAMPLE = 2
BYTES_PER_MS = RATE_HZ * BYTES_PER_SAMPLE // 1000

AUDIO_FRAME_HZ = 20.0  # frames of a model that has not told its rate; one audio token of `usage` is one frame


def samples_to_ms(samples: int) -> float:
    """Duration of a number of samples, in milliseconds."""
    return samples * 1000 / RATE_HZ


def frame_to_samples(frame: int, frames_hz: int) -> int:
    """Position of a motion frame, in samples."""
    return frame * RATE_HZ // frames_hz
