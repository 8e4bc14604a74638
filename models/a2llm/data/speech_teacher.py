"""The teacher voice: hibari, opened so that durations, pitch and energy can be shaped by affect.

One pass gives durations, one pitch and energy, one the decoder's hidden frames for the shaped values.
Used to build training data and as the evaluation's reference; never at run time.
Units are 25 ms; voice frames run at 80 Hz (two per unit).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from a2llm.affect import Affect
from a2llm.audio_codec.frames import VOICED_HZ
from a2llm.layers.onnx_graph import OnnxGraph

DURATIONS, ENERGY, HIDDEN = "/Clip_output_0", "/Mul_62_output_0", "/dec_norm/LayerNormalization_output_0"
RAW_DURATIONS = "/Div_40_output_0"
MAX_UNITS = 22  # a duration class of the talker
LEAD_UNITS, TRAIL_UNITS = 2, 4  # silence before and after a sentence: the first sound should come soon


@dataclass(frozen=True)
class ProsodyShape:
    """How one affect at full intensity bends the voice (values after Scherer 2003 and Juslin & Laukka 2003)."""

    pitch_st: float = 0.0
    pitch_range: float = 1.0
    duration: float = 1.0
    energy: float = 0.0
    final_rise_st: float = 0.0

    def at(self, intensity: float) -> "ProsodyShape":
        return ProsodyShape(
            self.pitch_st * intensity,
            1 + (self.pitch_range - 1) * intensity,
            1 + (self.duration - 1) * intensity,
            self.energy * intensity,
            self.final_rise_st * intensity,
        )


SHAPES = {
    "neutral": ProsodyShape(),
    "joy": ProsodyShape(2.4, 1.35, 0.92, 0.6),
    "sadness": ProsodyShape(-1.8, 0.55, 1.18, -1.0),
    "anger": ProsodyShape(0.8, 1.2, 0.94, 1.1),
    "surprise": ProsodyShape(3.4, 1.5, 0.97, 0.5, 2.0),
}


@dataclass(frozen=True)
class TeacherSpeech:
    """One spoken utterance. P phones, U units, 2U voice frames."""

    phones: str
    durations: np.ndarray  # [P] units
    f0_hz: np.ndarray  # [2U], below VOICED_HZ where unvoiced
    energy: np.ndarray  # [2U], the voice's own energy scale
    hidden: np.ndarray  # [2U, 256] float16


def _graph(model: onnx.ModelProto, inputs: dict[str, int], outputs: list[str]) -> OnnxGraph:
    """The same graph cut open at `inputs` (name -> ONNX element type) and read at `outputs`."""
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    for node in cut.graph.node:
        for index, name in enumerate(node.output):
            if name in inputs:
                node.output[index] = f"{name}/unused"
    cut.graph.input.extend(onnx.helper.make_tensor_value_info(n, t, None) for n, t in inputs.items())
    del cut.graph.output[:]
    cut.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in outputs)
    return OnnxGraph(cut.SerializeToString())


class SpeechTeacher:
    """Speaks phoneme strings with a chosen affect. Deterministic per seed."""

    def __init__(self, model_file: Path, vocabulary_file: Path) -> None:
        model = onnx.load(str(model_file))
        number = onnx.TensorProto.FLOAT
        self._durations = _graph(model, {}, [RAW_DURATIONS])
        self._prosody = _graph(model, {DURATIONS: number}, ["f0", ENERGY])
        self._decoder = _graph(model, {DURATIONS: number, "f0": number, ENERGY: number}, [HIDDEN])
        self.vocabulary: dict[str, int] = json.loads(vocabulary_file.read_text())

    def speak(self, phones: str, affect: Affect, seed: int) -> TeacherSpeech:
        """Synthesises a phoneme string; symbols outside the vocabulary are dropped. Durations include
        the silent pads, given to the first and last phone. Raises ValueError if no symbol is left."""
        phones = "".join(p for p in phones if p in self.vocabulary)
        if not phones:
            raise ValueError("there is nothing to speak")
        rng = np.random.default_rng(seed)
        shape = SHAPES[affect.category].at(affect.intensity)
        ids = np.asarray([[0, *(self.vocabulary[p] for p in phones), 0]], np.int64)
        durations = self._shaped_durations(ids, shape, rng)
        f0, energy = self._prosody.run({"ids": ids, "speed": np.ones(1, np.float32), DURATIONS: durations})
        f0, energy = self._shaped_pitch(f0[0], shape, rng), energy[0] + shape.energy
        feed = {"ids": ids, "speed": np.ones(1, np.float32), DURATIONS: durations, "f0": f0[None], ENERGY: energy[None]}
        (hidden,) = self._decoder.run(feed)
        units = durations.astype(np.int64)
        units[1] += units[0]
        units[-2] += units[-1]
        return TeacherSpeech(phones, units[1:-1], f0, energy, hidden[0].astype(np.float16))

    def _shaped_durations(self, ids: np.ndarray, shape: ProsodyShape, rng: np.random.Generator) -> np.ndarray:
        (raw,) = self._durations.run({"ids": ids, "speed": np.ones(1, np.float32)})
        tempo = shape.duration * float(np.exp(rng.normal(0.0, 0.04)))
        units = np.clip(np.round(raw.reshape(-1) * tempo), 0, MAX_UNITS)
        units[0], units[-1] = np.clip(units[0], 1, LEAD_UNITS), np.clip(units[-1], 2, TRAIL_UNITS)
        units[-1] += units.sum() % 2  # whole audio frames
        return units.astype(np.float32)

    @staticmethod
    def _shaped_pitch(f0: np.ndarray, shape: ProsodyShape, rng: np.random.Generator) -> np.ndarray:
        voiced = f0 > VOICED_HZ
        if not voiced.any():
            return f0
        tones = 12 * np.log2(np.maximum(f0, VOICED_HZ))
        mean = tones[voiced].mean()
        frames = np.arange(len(f0))
        end = frames[voiced][-1]
        rise = shape.final_rise_st * np.clip((frames - end + 24) / 24, 0, 1)
        spread = shape.pitch_range * float(np.exp(rng.normal(0.0, 0.05)))
        tones = mean + shape.pitch_st + rng.normal(0.0, 0.2) + (tones - mean) * spread + rise
        return np.where(voiced, 2 ** (np.clip(tones, 81.0, 109.0) / 12), f0).astype(np.float32)


def spectral_head(model_file: Path) -> tuple[np.ndarray, np.ndarray]:
    """The voice's last layer, expanded to float32: weight [256, 5 * 601] and bias."""
    values = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(str(model_file)).graph.initializer}
    quantized, zero = (values[f"/head/Transpose_output_0_{part}"].astype(np.float32) for part in ("quantized", "zero_point"))
    return (quantized - zero) * values["/head/Transpose_output_0_scale"], values["m.head.bias"]
