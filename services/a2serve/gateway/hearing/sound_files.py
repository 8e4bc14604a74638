"""WAV in and out, for REST: to and from our one format, 24 kHz mono PCM16."""

import io
import wave

from a2llm.pcm16 import from_pcm16, to_pcm16
from a2llm.resampling import resample
from a2serve.contracts.media_clock import RATE_HZ
from a2serve.contracts.problems import Code, Problem

RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def read_wav(data: bytes) -> bytes:
    """PCM16 at 24 kHz of a WAV file: 16 bit, one or two channels, a usual rate. Raises Problem(invalid_audio)."""
    try:
        with wave.open(io.BytesIO(_plain(data))) as file:
            width, channels, rate_hz = file.getsampwidth(), file.getnchannels(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise Problem(Code.INVALID_AUDIO, f"not a WAV file of PCM: {error}", param="audio.data") from None
    if width != 2 or channels not in (1, 2) or rate_hz not in RATES_HZ:
        found = f"{8 * width} bit, {channels} channels, {rate_hz} Hz"
        raise Problem(Code.INVALID_AUDIO, f"WAV has to be 16 bit, 1 or 2 channels, {RATES_HZ[0]} to {RATES_HZ[-1]} Hz; this is {found}")
    signal = from_pcm16(raw[: len(raw) // (2 * channels) * 2 * channels])
    return to_pcm16(resample(signal.reshape(-1, channels).mean(axis=1), rate_hz, RATE_HZ))


def _plain(data: bytes) -> bytes:
    """WAVE_FORMAT_EXTENSIBLE of PCM as plain PCM, which is all that Python 3.11 reads; anything else as it is."""
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        head = data[place + 8 : place + 8 + min(size, 40)]
        if data[place : place + 4] == b"fmt ":
            extensible = head[:2] == b"\xfe\xff" and head[24:26] == b"\1\0"
            return data[: place + 8] + b"\1\0" + data[place + 10 :] if extensible else data
        place += 8 + size + size % 2
    return data


def write_wav(pcm16: bytes) -> bytes:
    """A WAV file of PCM16 at 24 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm16)
    return buffer.getvalue()
