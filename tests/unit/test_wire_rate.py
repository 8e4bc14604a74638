"""A model's sound at the rate of the media clock: nothing lost, no seam, packets contiguous, times right."""

import numpy as np
import pytest

from a2llm.messages import Done, Motion, Packet
from a2llm.pcm16 import from_pcm16, to_pcm16
from a2serve.contracts.media_clock import RATE_HZ
from a2serve.gateway.model_client.wire_rate import WireRate

MOTION = Motion("arkit61", 30, 2, 1, bytes(122))


def tone(rate_hz: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)).astype(np.float32)


def packets(rate_hz: int, first: int = 0, step: int = 800) -> list[Packet]:
    """A second of 440 Hz from sample `first` on, as a model of this rate sends it, the last one without sound."""
    pcm = tone(rate_hz)
    sound = [
        Packet("r", at, f"word{at}", to_pcm16(pcm[at : at + step]), MOTION, sample_rate_hz=rate_hz) for at in range(first, len(pcm), step)
    ]
    return [*sound, Packet("r", len(pcm), done=Done("completed"), sample_rate_hz=rate_hz)]


def on_the_wire(rate_hz: int, first: int = 0) -> list[Packet]:
    rate = WireRate()
    return [rate.packet(packet) for packet in packets(rate_hz, first)]


@pytest.mark.parametrize("rate_hz", [16_000, 8_000, 22_050, 48_000])
def test_sound_of_any_rate_is_the_same_sound(rate_hz: int):
    made = on_the_wire(rate_hz)
    heard = from_pcm16(b"".join(packet.pcm16 for packet in made))
    assert len(heard) == RATE_HZ and {packet.sample_rate_hz for packet in made} == {RATE_HZ}
    assert np.abs(heard - tone(RATE_HZ))[100:-100].max() < 1e-3


def test_packets_are_contiguous_and_times_stay():
    at = 0
    for packet, own in zip(on_the_wire(16_000), packets(16_000), strict=True):
        assert packet.pts_samples == at
        assert 0 <= own.pts_samples / 16_000 - at / RATE_HZ <= 0.0011
        assert (packet.text, packet.motion, packet.done) == (own.text, own.motion, own.done)
        at += len(packet.pcm16) // 2
    assert at == RATE_HZ


def test_a_response_that_goes_on_here_begins_where_it_was():
    assert on_the_wire(16_000, first=4000)[0].pts_samples == 6000


def test_what_has_no_sound_changes_its_time_alone():
    written = Packet("r", 0, "Hello", sample_rate_hz=16_000)
    done = Packet("r", 0, done=Done("completed"), sample_rate_hz=16_000)
    rate = WireRate()
    assert [rate.packet(packet).pcm16 for packet in (written, done)] == [b"", b""]


def test_the_wires_own_rate_passes_untouched():
    assert on_the_wire(RATE_HZ) == packets(RATE_HZ)
