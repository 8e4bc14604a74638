import pytest

from a2llm.clock import FrameClock


def test_default_rates_fit_together():
    clock = FrameClock()
    assert (clock.samples_per_frame, clock.motion_hz, clock.samples_per_motion_frame) == (1200, 40, 600)
    assert clock.motion_to_samples(clock.motion_hz) == clock.frames_to_samples(clock.audio_frame_hz) == clock.sample_rate_hz


def test_milliseconds_and_back():
    clock = FrameClock()
    assert clock.samples_to_ms(1200) == 50.0
    assert [clock.ms_to_samples(clock.samples_to_ms(n)) for n in (0, 1, 599, 24_000)] == [0, 1, 599, 24_000]


@pytest.mark.parametrize("rates", [{"sample_rate_hz": 0}, {"motion_per_audio": -1}, {"audio_frame_hz": 7}])
def test_rates_that_cannot_be(rates: dict[str, int]):
    with pytest.raises(ValueError, match="must be"):
        FrameClock(**rates)
