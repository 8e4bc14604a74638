"""Tells whose voice it is: a speaker encoder that was trained on thousands of people, and never on ours, as the judge of voices.

GE2E (Wan et al., "Generalized End-to-End Loss for Speaker Verification", 2018), weights of the package resemblyzer (Apache-2.0), which
is located and not imported. Similarities are cosines: two clips of one person usually lie above .8, of two people below .7.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from a2llm.clock import EAR_RATE_HZ
from a2llm.listening.mel import HOP_SAMPLES, WINDOW_SAMPLES, mel_filters
from a2llm.resampling import resample
from a2llm.weights import GET_TEACHERS, package_folder

BANDS, WIDTH, LAYERS = 40, 256, 3
PARTIAL_FRAMES, PARTIAL_STEP = 160, 80  # 1.6 s, half overlapping
LOUDNESS_DBFS = -30.0  # quieter sound is raised to it


class SpeakerEncoder(nn.Module):
    """Sound -> a unit vector [256] of who speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, WIDTH, LAYERS, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)

    @classmethod
    def load(cls) -> "SpeakerEncoder":
        """Raises WeightsError where the package is missing."""
        file = package_folder("resemblyzer", f"the judge of voices is not installed. {GET_TEACHERS}") / "pretrained.pt"
        state: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)["model_state"]
        encoder = cls()
        encoder.load_state_dict({name: value for name, value in state.items() if name.split(".")[0] in ("lstm", "linear")})
        return encoder.eval().requires_grad_(False)

    @torch.inference_mode()
    def embed(self, pcm: np.ndarray, sample_rate_hz: int) -> np.ndarray:
        """Sound float32 [S] -> float32 [256] of length 1. Raises ValueError for silence."""
        mel = torch.from_numpy(_mel(resample(pcm, sample_rate_hz, EAR_RATE_HZ)))
        mel = nn.functional.pad(mel, (0, 0, 0, max(0, PARTIAL_FRAMES - len(mel))))
        parts = mel.unfold(0, PARTIAL_FRAMES, PARTIAL_STEP).transpose(1, 2)
        _, (state, _) = self.lstm(parts)
        each = nn.functional.normalize(torch.relu(self.linear(state[-1])), dim=1)
        return nn.functional.normalize(each.mean(0), dim=0).numpy()


def _mel(pcm: np.ndarray) -> np.ndarray:
    """Sound [S] at 16 kHz -> power in mel bands, float32 [F, 40]."""
    level = float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64)))) if len(pcm) else 0.0
    if level <= 1e-6:
        raise ValueError("silence has no speaker")
    pcm = pcm * max(1.0, 10 ** (LOUDNESS_DBFS / 20) / level)
    padded = np.pad(pcm.astype(np.float32), WINDOW_SAMPLES // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES]
    window = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32) ** 2
    return np.ascontiguousarray(power @ mel_filters(BANDS).T)


def centroids(embeddings: Mapping[str, Sequence[np.ndarray]]) -> dict[str, np.ndarray]:
    """Name -> unit vector [256], the mean of a speaker's embeddings."""
    means = {name: np.mean(vectors, axis=0) for name, vectors in embeddings.items()}
    return {name: mean / np.linalg.norm(mean) for name, mean in means.items()}


def identified(embedding: np.ndarray, known: Mapping[str, np.ndarray]) -> str:
    """Returns the name of the nearest speaker."""
    return max(known, key=lambda name: float(embedding @ known[name]))
