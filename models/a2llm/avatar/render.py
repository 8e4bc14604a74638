"""Draws the avatar: coefficients [61] -> a picture uint8 [H, W, 3], in software, on one thread.

Every mesh that has a morph of a coefficient's name follows it. Gaze is drawn with the eyeLook* morphs, because they
move lids and lashes with the eyeball; the rig's six eye rotations carry the same gaze a second time and are ignored,
as are the GLB's jaw and eye bones. Head rotations are shared out over neck02, neck03 and head. It plays nothing and
knows no time: video.py turns motion into frames.
"""

import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from a2llm.avatar import drawable, raster, shading, surfaces
from a2llm.avatar.drawable import Floats
from a2llm.head.gltf import AVATARS_DIR, load_glb
from a2llm.head.scene import Scene, Skeleton
from a2llm.rig import ARKIT61

CAMERA_METRES = (0.0, -0.047, 1.45)
FOCUS_Z_METRES = 0.03
FIELD_OF_VIEW_DEGREES = 15.2
NECK_SHARES = {"neck02": 0.22, "neck03": 0.28, "head": 0.50}
SHADOW_TEXELS = 256
SHADOW_SPAN_METRES = 0.44
SHADOW_CENTER_METRES = (0.0, -0.06, 0.02)
BACKDROP_CENTER = (0.80, 0.83, 0.87)  # sRGB
BACKDROP_EDGE = (0.42, 0.47, 0.55)


def avatar_names() -> tuple[str, ...]:
    """Names accepted by HeadRenderer, from the GLB files present."""
    return tuple(sorted(file.stem for file in AVATARS_DIR.glob("*.glb")))


@lru_cache(maxsize=2)
def _load(avatar: str | Path, pixels_per_metre: float) -> tuple[Skeleton | None, drawable.Geometry, drawable.Surface]:
    """An avatar as arrays, which nobody writes to: read once for all pictures of a size."""
    scene = load_scene(avatar)
    return scene.skeleton, *drawable.pack(scene, ARKIT61.names, pixels_per_metre)


class HeadRenderer:
    """A camera in front of one avatar. Keeps its buffers, so use one instance per thread.

    avatar: a name in models/avatars or a path to a GLB with morphs by ARKit name. supersample: samples per pixel side.
    Raises ValueError for an unknown avatar or a size below 16 pixels.
    """

    def __init__(self, avatar: str | Path = "woman", width: int = 512, height: int = 512, supersample: int = 2) -> None:
        if min(width, height) < 16 or not 1 <= supersample <= 4:
            raise ValueError("a picture is at least 16 x 16 pixels, with 1 to 4 samples per pixel side")
        self.width, self.height, self.supersample = width, height, supersample
        focal = 0.5 * height / math.tan(math.radians(FIELD_OF_VIEW_DEGREES) / 2)
        distance = CAMERA_METRES[2] - FOCUS_Z_METRES
        self._focal = focal * supersample
        self._skeleton, self._geometry, surface = _load(avatar, focal / distance)
        self._table, self._texels = surface.table, surface.texels
        self._rest = _rest_vertices(self._geometry)
        self._classes = raster.alpha_classes(self._geometry.triangles, self._rest, *surface)
        self._lashes = np.flatnonzero(self._classes == raster.BLENDED).astype(np.int32)
        self._background = _backdrop(width, height)
        self._encode = shading.encode_table()
        self._light = _light_matrix()
        self._eye = np.array(CAMERA_METRES, np.float32)
        self._allocate((height * supersample, width * supersample))

    def render(self, coefs: np.ndarray) -> np.ndarray:
        """coefs [61], blendshapes 0..1 and rotations in radians -> uint8 [H, W, 3].

        Raises ValueError for another shape or for values that are not finite.
        """
        coefs = np.asarray(coefs, np.float32)
        if coefs.shape != (ARKIT61.size,) or not np.isfinite(coefs).all():
            raise ValueError(f"render takes {ARKIT61.size} finite coefficients, not an array of shape {coefs.shape}")
        self._draw(coefs)
        out = np.empty((self.height, self.width, 3), np.uint8)
        shading.resolve(
            self._geometry.triangles,
            self._vertices,
            self._table,
            self._texels,
            self._depth,
            self._seen,
            self._clear,
            self._shadow,
            self._light,
            self._eye,
            self._background,
            self._encode,
            self.supersample,
            out,
        )
        return out

    def _draw(self, coefs: Floats) -> None:
        geometry, vertices, samples = self._geometry, self._vertices, self.supersample
        morphs = (geometry.morph_start, geometry.morph_vertex, geometry.morph_delta)
        raster.morph(*morphs, coefs, self._rest, vertices)
        raster.skin(geometry.joints, geometry.weights, bone_matrices(self._skeleton, coefs), vertices)
        drawn = (geometry.triangles, self._classes, vertices, self._table, self._texels)
        raster.project_light(vertices, self._light)
        raster.rasterize(*drawn, 1, self._shadow, self._shadow_seen)
        raster.project(vertices, self._eye, self._focal, 0.5 * self.width * samples, 0.5 * self.height * samples)
        raster.rasterize(*drawn, samples, self._depth, self._seen)
        raster.veil(drawn[0], self._lashes, *drawn[2:], self._depth, self._clear)

    def _allocate(self, size: tuple[int, int]) -> None:
        self._vertices = np.zeros_like(self._rest)
        self._depth, self._clear = np.zeros(size, np.float32), np.ones(size, np.float32)
        self._seen = np.zeros(size, np.int32)
        self._shadow = np.zeros((SHADOW_TEXELS, SHADOW_TEXELS), np.float32)
        self._shadow_seen = np.zeros((SHADOW_TEXELS, SHADOW_TEXELS), np.int32)


def _rest_vertices(geometry: drawable.Geometry) -> Floats:
    """All vertices before any morph, in raster's columns [V, 17]; the screen columns are still zero."""
    screen = np.zeros_like(geometry.positions)
    parts = (screen, geometry.positions, geometry.normals, geometry.tangents, geometry.uv, geometry.colors)
    return np.ascontiguousarray(np.concatenate(parts, axis=1), np.float32)


def load_scene(avatar: str | Path) -> Scene:
    """The avatar's scene, cached. Raises ValueError for an unknown name."""
    path = Path(avatar)
    if path.suffix.lower() not in (".glb", ".gltf"):
        path = AVATARS_DIR / f"{avatar}.glb"
    if not path.is_file():
        raise ValueError(f"unknown avatar {str(avatar)!r}: choose one of {', '.join(avatar_names())} or a .glb file")
    return _load_scene(path)


@lru_cache(maxsize=4)
def _load_scene(path: Path) -> Scene:
    return load_glb(path)


def bone_matrices(skeleton: Skeleton | None, coefs: Floats) -> Floats:
    """Skinning matrices [J, 3, 4] of the head's yaw, pitch and roll; one identity without a skeleton."""
    if skeleton is None:
        return np.eye(4, dtype=np.float32)[None, :3]
    yaw, pitch, roll = (float(coefs[ARKIT61.index(name)]) for name in ("headYaw", "headPitch", "headRoll"))
    world = np.zeros_like(skeleton.local)
    for bone in skeleton.order:
        local = skeleton.local[bone].copy()
        share = NECK_SHARES.get(skeleton.names[bone], 0.0)
        if share:
            local[:3, :3] = local[:3, :3] @ rotation(yaw * share, pitch * share, roll * share)
        parent = skeleton.parents[bone]
        world[bone] = local if parent < 0 else world[parent] @ local
    return np.ascontiguousarray((world @ skeleton.inverse_bind)[:, :3], np.float32)


def rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """Right-handed turns about +y, then the turned +x, then +z: float32 [3, 3]."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (about_y @ about_x @ about_z).astype(np.float32)


def _light_matrix() -> Floats:
    """The key light's view for the shadow map, see shading.resolve."""
    toward = np.array(surfaces.KEY_DIRECTION) / np.linalg.norm(surfaces.KEY_DIRECTION)
    right = np.cross([0.0, 1.0, 0.0], toward)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(toward, right), toward])
    matrix = np.zeros((4, 4), np.float32)
    matrix[:3, :3] = axes
    matrix[:3, 3] = -axes @ np.array(SHADOW_CENTER_METRES)
    matrix[3, :2] = SHADOW_TEXELS / SHADOW_SPAN_METRES, SHADOW_TEXELS / 2
    return matrix


def _backdrop(width: int, height: int) -> Floats:
    """A softly lit wall, linear float32 [H, W, 3], with half a level of fixed noise against banding."""
    x = (np.arange(width) + 0.5) / width - 0.5
    y = (np.arange(height) + 0.5) / height - 0.40
    radius = np.sqrt((x[None] * width / height * 1.05) ** 2 + (y[:, None] * 0.95) ** 2) / 0.78
    blend = np.clip(radius, 0, 1) ** 1.5
    blend = (blend * blend * (3 - 2 * blend))[..., None] * 0.85 + 0.15 * blend[..., None]
    wall = np.array(BACKDROP_CENTER) * (1 - blend) + np.array(BACKDROP_EDGE) * blend
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (height, width, 1)) / 255
    return drawable.srgb_to_linear(np.clip(wall + noise, 0, 1).astype(np.float32))
