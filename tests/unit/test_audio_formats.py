"""G.711: the standard's own values and round trips."""

import numpy as np
import pytest

from a2llm.pcm16 import from_pcm16, to_pcm16
from a2serve.contracts.problems import Problem
from a2serve.contracts.session_config import AudioPcm, AudioPcma, AudioPcmu
from a2serve.gateway.hearing.audio_formats import _codes, _table, decoder_of, encoder_of


def test_mu_law_levels_of_the_standard():
    table = _table(False)
    assert [int(table[code]) for code in (0x00, 0x80, 0xFF, 0x7F, 0xFE)] == [-32124, 32124, 0, 0, 8]
    assert len(set(table.tolist())) == 255  # two zeros


def test_a_law_levels_of_the_standard():
    table = _table(True)
    assert [int(table[code]) for code in (0xD5, 0x55, 0xAA, 0x2A)] == [8, -8, 32256, -32256]
    assert len(set(table.tolist())) == 256


@pytest.mark.parametrize("a_law", [False, True])
def test_every_level_encodes_to_itself(a_law):
    table = _table(a_law)
    again = table[_codes(a_law)[table.astype(np.int32) + 32768]]
    assert np.array_equal(again, table)


@pytest.mark.parametrize("audio_format", [AudioPcmu(), AudioPcma()])
def test_a_tone_survives_the_telephone(audio_format):
    t = np.arange(24000) / 24000
    tone = to_pcm16((0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32))
    sent = encoder_of(audio_format).encode(tone)
    assert abs(len(sent) - 8000) <= 1
    back = from_pcm16(decoder_of(audio_format).decode(sent))
    spectrum = np.abs(np.fft.rfft(back[2000:22000] * np.hanning(20000)))
    assert abs(np.argmax(spectrum) * 24000 / 20000 - 440) < 3
    assert 0.25 < np.max(np.abs(back)) < 0.35


def test_half_a_sample_is_refused():
    with pytest.raises(Problem, match="odd"):
        decoder_of(AudioPcm()).decode(b"abc")
