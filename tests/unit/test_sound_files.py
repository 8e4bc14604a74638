"""WAV in: what other programs write for 16 bit PCM is read alike."""

import struct

import pytest

from a2serve.contracts.problems import Problem
from a2serve.gateway.hearing.sound_files import read_wav, write_wav

PCM16 = struct.pack("<100h", *range(-5000, 5000, 100))
PCM, FLOAT = bytes.fromhex("0100000000001000800000aa00389b71"), bytes.fromhex("0300000000001000800000aa00389b71")


def extensible(subformat: bytes, before: bytes = b"") -> bytes:
    head = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 24_000, 48_000, 2, 16, 22, 16, 4) + subformat
    chunks = before + b"fmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(PCM16)) + PCM16
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def test_wave_format_extensible_is_read_as_the_pcm_that_it_holds() -> None:
    assert read_wav(extensible(PCM)) == read_wav(write_wav(PCM16)) == PCM16
    assert read_wav(extensible(PCM, before=b"LIST" + struct.pack("<I", 3) + b"abc\0")) == PCM16


@pytest.mark.parametrize("data", [extensible(FLOAT), extensible(PCM)[:30], b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff\xfe\xff", b""])
def test_what_is_no_pcm_is_refused(data: bytes) -> None:
    with pytest.raises(Problem):
        read_wav(data)
