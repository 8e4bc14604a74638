"""The teacher voice: hibari, opened so that durations, pitch and energy can be shaped by a score.

One pass gives durations, one pitch and energy, one the decoder's hidden frames for the shaped values.
Used to build training data and as the evaluation's reference; never at run time.
Units are 25 ms; voice frames run at 80 Hz (two per unit).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from a2llm.data.prosody import Delivery, Timeline, pause_before, shape_durations, shape_gain, shape_pitch
from a2llm.layers.onnx_cut import cut

DURATIONS, ENERGY, HIDDEN = "/Clip_output_0", "/Mul_62_output_0", "/dec_norm/LayerNormalization_output_0"
RAW_DURATIONS = "/Div_40_output_0"
MAX_UNITS = 22  # a duration class of the talker
DB_PER_ENERGY = 3.4  # measured on the voice: one step of its energy scale
LEAD_UNITS, TRAIL_UNITS = 2, 4  # silence before and after a sentence: the first sound should come soon


@dataclass(frozen=True)
class TeacherSpeech:
    """One spoken utterance. P phones, U units, 2U voice frames."""

    phones: str
    durations: np.ndarray  # [P] units
    f0_hz: np.ndarray  # [2U], below VOICED_HZ where unvoiced
    energy: np.ndarray  # [2U], the voice's own energy scale
    hidden: np.ndarray  # [2U, 256] float16


class SpeechTeacher:
    """Speaks phoneme strings as a delivery says. Deterministic: what varies is in the delivery."""

    def __init__(self, model_file: Path, vocabulary_file: Path) -> None:
        model = onnx.load(str(model_file))
        self._durations = cut(model, (), [RAW_DURATIONS])
        self._prosody = cut(model, (DURATIONS,), ["f0", ENERGY])
        self._decoder = cut(model, (DURATIONS, "f0", ENERGY), [HIDDEN])
        self.vocabulary: dict[str, int] = json.loads(vocabulary_file.read_text())

    def speak(self, phones: str, words: np.ndarray, delivery: Delivery) -> TeacherSpeech:
        """Synthesises the phones of one sentence, all of the vocabulary; words [P]: each one's word of the response.

        Durations include the silent pads, given to the first and last phone. Raises ValueError if there is no phone.
        """
        if not phones:
            raise ValueError("there is nothing to speak")
        ids = np.asarray([[0, *(self.vocabulary[p] for p in phones), 0]], np.int64)
        (raw,) = self._durations.run({"ids": ids, "speed": np.ones(1, np.float32)})
        durations = shape_units(raw.reshape(-1), phones, words, delivery)
        feed = {"ids": ids, DURATIONS: durations}
        f0, energy = self._prosody.run(feed)
        time = Timeline.of(without_pads(durations), phones, words)
        f0 = shape_pitch(f0[0], time, delivery)
        energy = energy[0] + shape_gain(time, delivery) / DB_PER_ENERGY
        (hidden,) = self._decoder.run({**feed, "f0": f0[None], ENERGY: energy[None]})
        return TeacherSpeech(phones, without_pads(durations), f0, energy, hidden[0].astype(np.float16))

    def plain_durations(self, phones: str) -> np.ndarray:
        """Durations [P] in units, not rounded, of phones said plainly."""
        ids = np.asarray([[0, *(self.vocabulary[p] for p in phones), 0]], np.int64)
        (raw,) = self._durations.run({"ids": ids, "speed": np.ones(1, np.float32)})
        return raw.reshape(-1)[1:-1]


def shape_units(raw: np.ndarray, phones: str, words: np.ndarray, delivery: Delivery) -> np.ndarray:
    """Whole units [P + 2] from those of a plain voice, the silent pads at both ends: short ones, except before a sentence that waits."""
    shaped = shape_durations(raw[1:-1], phones, words, delivery)
    lead = np.clip(raw[0], 1, LEAD_UNITS) + pause_before(words, delivery)
    units = np.clip(np.round([lead, *shaped, np.clip(raw[-1], 2, TRAIL_UNITS)]), 0, MAX_UNITS)
    units[1] = min(units[1], MAX_UNITS - units[0])
    units[-2] = min(units[-2], MAX_UNITS - units[-1] - 1)
    units[-1] += units.sum() % 2  # whole audio frames
    return units.astype(np.float32)


def without_pads(units: np.ndarray) -> np.ndarray:
    """Units [P + 2] with silent pads -> of the phones [P]; the first and the last one take the pads."""
    units = units.astype(np.int64)
    units[1] += units[0]
    units[-2] += units[-1]
    return units[1:-1]


def spectral_head(model_file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The voice's last layer, expanded to float32: weight [256, 5 * 601] and bias."""
    values = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(str(model_file)).graph.initializer}
    quantized, zero = (values[f"/head/Transpose_output_0_{part}"].astype(np.float32) for part in ("quantized", "zero_point"))
    return (quantized - zero) * values["/head/Transpose_output_0_scale"], values["m.head.bias"]
