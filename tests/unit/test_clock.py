import pytest

from a2llm.clock import FrameClock


def test_default_rates_fit_together():
    clock = FrameClock()
    assert (clock.motion_hz, clock.samples_per_motion_frame, clock.samples_to_ms(1200)) == (40, 600, 50.0)


def test_an_audio_frame_need_not_divide_a_second():
    clock = FrameClock(16_000, 25)
    assert (clock.audio_frame_hz, clock.samples_per_motion_frame) == (12.5, 640)


@pytest.mark.parametrize("rates", [{"sample_rate_hz": 0}, {"motion_per_audio": -1}, {"motion_hz": 7}])
def test_rates_that_cannot_be(rates: dict[str, int]):
    with pytest.raises(ValueError, match="must be"):
        FrameClock(**rates)
