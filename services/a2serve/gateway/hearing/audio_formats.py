"""The session's audio formats to and from our one: 24 kHz mono PCM16. The tables follow ITU-T G.711."""

from functools import lru_cache
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from a2llm.pcm16 import from_pcm16, to_pcm16
from a2llm.resampling import Resampler
from a2serve.contracts.media_clock import RATE_HZ
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import AudioPcm, AudioPcma, AudioPcmu

PHONE_RATE_HZ = 8_000
Samples: TypeAlias = NDArray[np.int16]


class Decoder(Protocol):
    """Bytes of the client's format in, PCM16 at 24 kHz out; keeps state between calls."""

    def decode(self, data: bytes) -> bytes: ...


class Encoder(Protocol):
    """PCM16 at 24 kHz in, bytes of the client's format out; keeps state between calls."""

    def encode(self, pcm16: bytes) -> bytes: ...


def decoder_of(audio_format: AudioPcm | AudioPcmu | AudioPcma) -> Decoder:
    """A fresh decoder for one direction of one session."""
    return _PcmPassage() if isinstance(audio_format, AudioPcm) else _PhoneDecoder(_table(isinstance(audio_format, AudioPcma)))


def encoder_of(audio_format: AudioPcm | AudioPcmu | AudioPcma) -> Encoder:
    """A fresh encoder for one response."""
    return _PcmPassage() if isinstance(audio_format, AudioPcm) else _PhoneEncoder(isinstance(audio_format, AudioPcma))


class _PcmPassage:
    def decode(self, data: bytes) -> bytes:
        if len(data) % 2:
            raise Problem(Code.INVALID_AUDIO, "PCM16 has two bytes per sample; this frame has an odd number of bytes", param="audio")
        return data

    def encode(self, pcm16: bytes) -> bytes:
        return pcm16


class _PhoneDecoder:
    def __init__(self, table: Samples) -> None:
        self._table, self._resampler = table, Resampler(PHONE_RATE_HZ, RATE_HZ)

    def decode(self, data: bytes) -> bytes:
        samples = self._table[np.frombuffer(data, np.uint8)]
        return to_pcm16(self._resampler.push(from_pcm16(samples.tobytes())))


class _PhoneEncoder:
    def __init__(self, a_law: bool) -> None:
        self._codes, self._resampler = _codes(a_law), Resampler(RATE_HZ, PHONE_RATE_HZ)

    def encode(self, pcm16: bytes) -> bytes:
        samples = np.frombuffer(to_pcm16(self._resampler.push(from_pcm16(pcm16))), np.int16)
        return self._codes[samples.astype(np.int32) + 32768].tobytes()


@lru_cache(maxsize=2)
def _table(a_law: bool) -> Samples:
    """[256] PCM16 of every code."""
    codes = np.arange(256, dtype=np.int32)
    return (_expand_a(codes ^ 0x55) if a_law else _expand_mu(codes ^ 0xFF)).astype(np.int16)


def _expand_mu(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    magnitude = (((codes & 0x0F) << 3) + 0x84 << ((codes & 0x70) >> 4)) - 0x84
    return np.where(codes & 0x80, -magnitude, magnitude)


def _expand_a(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    segment, step = (codes & 0x70) >> 4, (codes & 0x0F) << 4
    magnitude = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(codes & 0x80, magnitude, -magnitude)


@lru_cache(maxsize=2)
def _codes(a_law: bool) -> NDArray[np.uint8]:
    """[65536] nearest code of every sample, index = sample + 32768."""
    table = _table(a_law).astype(np.int32)
    order = np.argsort(table, kind="stable")
    levels = table[order]
    nearest = np.searchsorted((levels[1:] + levels[:-1]) / 2, np.arange(-32768, 32768))
    return order[nearest].astype(np.uint8)
