"""Brings one response's sound to the media clock, whatever rate the model has. Motion needs no such thing: its frames have a rate."""

from dataclasses import replace

from a2llm.messages import Packet
from a2llm.pcm16 import from_pcm16, to_pcm16
from a2llm.resampling import FINE_HALF_WIDTH, Resampler
from a2serve.contracts.media_clock import BYTES_PER_SAMPLE, RATE_HZ


class WireRate:
    """Takes the packets of one response in order. One at RATE_HZ passes unchanged.

    The sound of others leaves late by the filter's half (1 ms at 16 kHz); the last packet brings the rest. A response that is cut
    off and goes on elsewhere goes on here without a seam, as long as its rate stays.
    """

    def __init__(self) -> None:
        self._resampler: Resampler | None = None
        self._until = 0  # samples at RATE_HZ that have left

    def packet(self, packet: Packet) -> Packet:
        """The packet with its sound and its time at RATE_HZ."""
        if packet.sample_rate_hz == RATE_HZ:
            return packet
        pts = packet.pts_samples * RATE_HZ // packet.sample_rate_hz
        if not packet.pcm16 and not (packet.done and self._resampler):
            return replace(packet, pts_samples=pts, sample_rate_hz=RATE_HZ)
        if self._resampler is None:
            self._resampler, self._until = Resampler(packet.sample_rate_hz, RATE_HZ, FINE_HALF_WIDTH, aligned=True), pts
        pcm16 = to_pcm16(self._resampler.push(from_pcm16(packet.pcm16), last=packet.done is not None))
        start, self._until = self._until, self._until + len(pcm16) // BYTES_PER_SAMPLE
        return replace(packet, pts_samples=start, pcm16=pcm16, sample_rate_hz=RATE_HZ)
