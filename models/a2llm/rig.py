"""Rigs: the named, ordered layouts of face coefficients, and the ways between them.

The only place in the project where a coefficient has a number. Motion is float32 [F, C] or [B, F, C]: blendshapes in
0..1, rotations in radians, right-handed about the avatar's axes (+x its left, +y up, +z forward): positive yaw turns
to the avatar's left, positive pitch looks down, positive roll tips the head towards its right shoulder.
It draws nothing and knows no meshes.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
_PAIRED_MOUTH = ("mouthSmile", "mouthFrown", "mouthDimple", "mouthStretch")
_SIDES = ("Left", "Right")


def _both(*stems: str) -> tuple[str, ...]:
    return tuple(stem + side for stem in stems for side in _SIDES)


# Apple ARKit's 52 blendshapes in the column order of a Live Link Face CSV, then its nine rotations.
BLENDSHAPES = (
    *(stem + side for side in _SIDES for stem in _EYE),
    *("jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker"),
    *("mouthRight", "mouthLeft", *_both(*_PAIRED_MOUTH)),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *_both("mouthPress", "mouthLowerDown", "mouthUpperUp", "browDown"),
    *("browInnerUp", *_both("browOuterUp"), "cheekPuff", *_both("cheekSquint", "noseSneer"), "tongueOut"),
)
ROTATIONS = (
    *("headYaw", "headPitch", "headRoll"),
    *(f"{side}Eye{turn}" for side in ("left", "right") for turn in ("Yaw", "Pitch", "Roll")),
)
OCULUS_VISEMES = ("sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou")


@dataclass(frozen=True)
class Rig:
    """An ordered layout of named coefficients. `groups` names sets of places, each a sorted index array."""

    name: str
    names: tuple[str, ...]
    groups: dict[str, np.ndarray] = field(default_factory=dict, compare=False)

    @property
    def size(self) -> int:
        """C, the number of coefficients."""
        return len(self.names)

    def index(self, name: str) -> int:
        """Place of a coefficient. Raises ValueError for an unknown name."""
        if name not in self.names:
            raise ValueError(f"rig {self.name} has no coefficient {name!r}")
        return self.names.index(name)

    def indices(self, *names: str) -> np.ndarray:
        """Places of several coefficients [n]."""
        return np.array([self.index(name) for name in names], np.int64)

    def group(self, name: str) -> np.ndarray:
        """Places of a group [n]. Raises ValueError for an unknown group."""
        if name not in self.groups:
            raise ValueError(f"rig {self.name} has no group {name!r}: choose one of {', '.join(self.groups)}")
        return self.groups[name]

    def pose(self, values: dict[str, float]) -> np.ndarray:
        """One frame [C] with the named values, zero elsewhere. `mouthSmile` means both sides where only sides exist."""
        frame = np.zeros(self.size, np.float32)
        for name, value in values.items():
            places = (name,) if name in self.names else _both(name)
            frame[self.indices(*places)] = value
        return frame


def _starting(names: tuple[str, ...], *stems: str) -> np.ndarray:
    return np.array([i for i, name in enumerate(names) if name.startswith(stems)], np.int64)


def _arkit61() -> Rig:
    names = BLENDSHAPES + ROTATIONS
    mouth = _starting(names, "jaw", "mouth", "tongue", "cheekPuff")
    groups = {
        "blendshapes": np.arange(len(BLENDSHAPES)),
        "rotations": np.arange(len(BLENDSHAPES), len(names)),
        "mouth": mouth,
        "lips": _starting(names, "mouth"),
        "jaw": _starting(names, "jaw"),
        "brows": _starting(names, "brow"),
        "lids": _starting(names, "eyeBlink", "eyeSquint", "eyeWide"),
        "gaze": _starting(names, "eyeLook", "leftEye", "rightEye"),
        "eyes": _starting(names, "eye", "leftEye", "rightEye"),
        "cheeks": _starting(names, "cheekSquint", "noseSneer"),
        "head": _starting(names, "head"),
        "upper": _starting(names, "brow", "eye", "cheekSquint", "noseSneer"),
        "not_mouth": np.setdiff1d(np.arange(len(names)), mouth),
    }
    return Rig("arkit61", names, groups)


def _flame58() -> Rig:
    names = (
        *(f"expression{i}" for i in range(50)),
        *("jaw0", "jaw1", "jaw2", "neck0", "neck1", "neck2", "eyelidLeft", "eyelidRight"),
    )
    groups = {
        "expression": _starting(names, "expression"),
        "jaw": _starting(names, "jaw"),
        "head": _starting(names, "neck"),
        "lids": _starting(names, "eyelid"),
    }
    return Rig("flame58", names, groups)


ARKIT61 = _arkit61()
FLAME58 = _flame58()
OCULUS15 = Rig("oculus15", OCULUS_VISEMES)
RIGS = {rig.name: rig for rig in (ARKIT61, OCULUS15, FLAME58)}
LIVE_LINK_NAMES = tuple(name[0].upper() + name[1:] for name in ARKIT61.names)


def get_rig(name: str) -> Rig:
    """The rig of this name. Raises ValueError for an unknown one."""
    if name not in RIGS:
        raise ValueError(f"unknown rig {name!r}: choose one of {', '.join(RIGS)}")
    return RIGS[name]


# What each Oculus viseme looks like in ARKit terms, after the reference images of Meta's "Viseme Reference" page.
_OCULUS_POSES: dict[str, dict[str, float]] = {
    "PP": {"mouthPress": 0.5, "mouthRollLower": 0.3, "mouthRollUpper": 0.3, "mouthClose": 0.05},
    "FF": {"jawOpen": 0.06, "mouthRollLower": 0.6, "mouthUpperUp": 0.25},
    "TH": {"jawOpen": 0.16, "tongueOut": 0.5, "mouthLowerDown": 0.15},
    "DD": {"jawOpen": 0.12, "mouthLowerDown": 0.25, "mouthUpperUp": 0.15},
    "kk": {"jawOpen": 0.2, "mouthStretch": 0.12, "mouthLowerDown": 0.1},
    "CH": {"jawOpen": 0.08, "mouthFunnel": 0.5, "mouthShrugUpper": 0.15},
    "SS": {"jawOpen": 0.04, "mouthStretch": 0.3, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15},
    "nn": {"jawOpen": 0.1, "mouthLowerDown": 0.15, "mouthSmile": 0.1},
    "RR": {"jawOpen": 0.1, "mouthFunnel": 0.3, "mouthPucker": 0.25},
    "aa": {"jawOpen": 0.6, "mouthLowerDown": 0.25, "mouthUpperUp": 0.1},
    "E": {"jawOpen": 0.32, "mouthStretch": 0.3, "mouthSmile": 0.15},
    "ih": {"jawOpen": 0.18, "mouthSmile": 0.3, "mouthStretch": 0.2},
    "oh": {"jawOpen": 0.4, "mouthFunnel": 0.55, "mouthPucker": 0.15},
    "ou": {"jawOpen": 0.18, "mouthFunnel": 0.3, "mouthPucker": 0.7},
}
_RIDGE = 1e-4  # some visemes are mixtures of others: this makes the answer one
_SPARSITY = 0.01  # favours one viseme over a mix of look-alikes


@cache
def _visemes() -> tuple[np.ndarray, np.ndarray]:
    """Mouth poses of the visemes but `sil` [14, M], and the Cholesky factor R [14, 14] of their products, R^T R."""
    basis = np.stack([ARKIT61.pose(_OCULUS_POSES[name])[ARKIT61.group("mouth")] for name in OCULUS_VISEMES[1:]]).astype(np.float64)
    return basis, np.linalg.cholesky(basis @ basis.T + _RIDGE * np.eye(len(basis))).T


def _to_oculus(frames: np.ndarray) -> np.ndarray:
    """[F, 61] -> [F, 15]: non-negative least squares on the mouth's coefficients; `sil` takes what is left of 1."""
    from scipy.optimize import nnls

    basis, factor = _visemes()
    aims = np.linalg.solve(factor.T, basis @ frames[:, ARKIT61.group("mouth")].T - _SPARSITY)  # [14, F]
    weights = np.array([nnls(factor, aim)[0] for aim in aims.T]).reshape(-1, len(basis))
    weights = weights / np.maximum(weights.sum(1, keepdims=True), 1)
    return np.concatenate([1 - weights.sum(1, keepdims=True), weights], axis=1).astype(np.float32)


@dataclass(frozen=True)
class FlameMapping:
    """Linear map from arkit61 to flame58: matrix [61, 58], bias [58]."""

    matrix: np.ndarray
    bias: np.ndarray


def load_flame_mapping(path: Path | str) -> FlameMapping:
    """Read an npz with `matrix` [61, 58] and optionally `bias` [58]. Raises ValueError when the shapes are others.

    No such file ships here: FLAME's model is licensed, so a map fitted on it belongs to its licensee.
    """
    with np.load(path, allow_pickle=False) as data:
        if "matrix" not in data:
            raise ValueError(f"{path} holds no array named matrix")
        matrix = data["matrix"].astype(np.float32)
        bias = data["bias"].astype(np.float32) if "bias" in data else np.zeros(FLAME58.size, np.float32)
    if matrix.shape != (ARKIT61.size, FLAME58.size) or bias.shape != (FLAME58.size,):
        raise ValueError(f"a FLAME mapping is matrix [61, 58] and bias [58], not {matrix.shape} and {bias.shape}")
    return FlameMapping(matrix, bias)


def retarget(frames: np.ndarray, to: str, flame: FlameMapping | None = None) -> np.ndarray:
    """arkit61 frames [F, 61] -> frames [F, C] of rig `to`, float32.

    oculus15 weights are non-negative and sum to 1. Raises ValueError for frames of another width, an unknown rig, or
    flame58 without a mapping.
    """
    if frames.ndim != 2 or frames.shape[1] != ARKIT61.size:
        raise ValueError(f"frames must be [F, {ARKIT61.size}], not {frames.shape}")
    rig = get_rig(to)
    if rig is OCULUS15:
        return _to_oculus(frames.astype(np.float32))
    if rig is FLAME58:
        if flame is None:
            raise ValueError("flame58 needs a mapping: pass the result of load_flame_mapping(path)")
        return frames.astype(np.float32) @ flame.matrix + flame.bias
    return frames.astype(np.float32)
