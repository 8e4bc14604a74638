"""Geometry of the default heads: coefficients [F, 61] -> vertices in millimetres, as one linear basis.

Holds the mesh `Head` of models/avatars/*.glb and its morph targets as numpy arrays. It does not draw, and it leaves the
head and eye rotations out: distances between faces are meant in the head's own frame.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from a2llm.head.gltf import AVATARS_DIR, load_glb
from a2llm.rig import ARKIT61

MM_PER_METRE = 1000.0
_UNIONS = {
    "eyelids": ("eyelids_Left", "eyelids_Right"),
    "brows": ("brow_Left", "brow_Right"),
    "face": ("upper_face", "lower_face"),
}


@dataclass(frozen=True)
class HeadGeometry:
    """Neutral vertices [V, 3] and one delta per arkit61 coefficient [61, V, 3], both in mm; named vertex regions."""

    look: str
    neutral: np.ndarray
    deltas: np.ndarray
    faces: np.ndarray  # [T, 3] vertex indices
    regions: dict[str, Any] = field(repr=False)

    @classmethod
    def load(cls, look: str = "woman", folder: Path = AVATARS_DIR) -> "HeadGeometry":
        """The head of this look. Raises ValueError for an unknown look."""
        return _load(look, folder)

    def subset(self, region: str | None = None) -> np.ndarray:
        """Vertex indices [v] of a region; all when None. Raises ValueError for an unknown region."""
        if region is None:
            return np.arange(len(self.neutral))
        parts = [self.regions.get(name) for name in _UNIONS.get(region, (region,))]
        if not all(isinstance(part, list) for part in parts):
            known = [*_UNIONS, *(name for name, value in self.regions.items() if isinstance(value, list))]
            raise ValueError(f"unknown region {region!r}: choose one of {', '.join(known)}")
        return np.unique(np.concatenate([np.asarray(part) for part in parts]))

    def basis(self, region: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(neutral [v, 3], deltas [61, v, 3]) in mm: vertices = neutral + coefs @ deltas."""
        rows = self.subset(region)
        return self.neutral[rows], self.deltas[:, rows]

    def vertices(self, coefs: np.ndarray, region: str | None = None) -> np.ndarray:
        """coefs [F, 61] -> vertices [F, v, 3] in mm."""
        neutral, deltas = self.basis(region)
        return neutral + np.tensordot(coefs.astype(np.float32), deltas, axes=1)

    def lip_gaps(self, coefs: np.ndarray) -> np.ndarray:
        """Signed vertical distance of the middle inner-lip pairs [F, n] in mm; below zero where the lips overlap."""
        pairs = np.asarray(self.regions["inner_lip_pairs_upper_lower"])  # [n, 2] upper, lower
        upper, lower = pairs.T
        neutral = self.neutral[upper, 1] - self.neutral[lower, 1]
        deltas = self.deltas[:, upper, 1] - self.deltas[:, lower, 1]  # [61, n]
        return neutral + coefs.astype(np.float32) @ deltas

    def lip_opening(self, coefs: np.ndarray) -> np.ndarray:
        """Inner-lip gap [F] in mm: the widest of the pairs, zero when they meet."""
        return np.maximum(self.lip_gaps(coefs).max(-1), 0)

    def lip_width(self, coefs: np.ndarray) -> np.ndarray:
        """Distance of the lip corners [F] in mm."""
        corners = [self.regions["lip_corner_Left"], self.regions["lip_corner_Right"]]
        left, right = np.moveaxis(self.neutral[corners] + np.tensordot(coefs.astype(np.float32), self.deltas[:, corners], axes=1), 1, 0)
        return np.linalg.norm(left - right, axis=-1)


@lru_cache(maxsize=4)
def _load(look: str, folder: Path) -> HeadGeometry:
    looks = json.loads((folder / "regions.json").read_text())
    if look not in looks:
        raise ValueError(f"unknown look {look!r}: choose one of {', '.join(looks)}")
    regions = looks[look]
    head = load_glb(folder / f"{look}.glb").mesh(regions["mesh"])
    if len(head.positions) != regions["vertex_count"]:
        raise ValueError(f"regions.json counts {regions['vertex_count']} vertices, {look}.glb {len(head.positions)}")
    deltas = np.zeros((ARKIT61.size, *head.positions.shape), np.float32)
    deltas[ARKIT61.indices(*head.morph_names)] = head.morph_deltas * MM_PER_METRE
    neutral = (head.positions * MM_PER_METRE).astype(np.float32)
    return HeadGeometry(look, neutral, deltas, head.indices.astype(np.int64), regions)
