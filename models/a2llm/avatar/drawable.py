"""One avatar flattened for the renderer: all meshes in one set of arrays, morphs as sparse rows, textures as texels.

Built once per avatar and picture size, then only read. It draws nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a2llm.head.scene import Mesh, Scene, Texture

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

# What a surface is made of decides how it is lit; the number is the column KIND of Surface.table.
GENERIC, SKIN, EYE, WET, CLOTH, HAIR, LASH = range(7)
KIND_OF_MATERIAL = {
    "Skin": SKIN,
    "Eye": EYE,
    "Teeth": WET,
    "Tongue": WET,
    "Cloth": CLOTH,
    "Hair": HAIR,
    "HairInner": GENERIC,
    "Lash": LASH,
}
KIND, RED, GREEN, BLUE, ROUGHNESS, CUTOFF, TEXEL_START, TEXEL_WIDTH, TEXEL_HEIGHT, CLAMP_V = range(10)
# Texels per pixel: slightly above 1 keeps brows and iris crisp under bilinear filtering, strands of hair would flicker.
SHARPEN, SHARPEN_HAIR = 1.25, 0.8


class Geometry(NamedTuple):
    """V vertices, T triangles, E sparse morph entries; a vertex is float32 and metres."""

    positions: Floats  # [V, 3]
    normals: Floats  # [V, 3]
    tangents: Floats  # [V, 3], direction in which v grows
    uv: Floats  # [V, 2]
    colors: Floats  # [V, 3], linear
    joints: Ints  # [V, 4]
    weights: Floats  # [V, 4]
    triangles: Ints  # [T, 5]: three vertices, row of Surface.table, two-sided
    morph_start: Ints  # [61 + 1], entries of coefficient c are morph_start[c]:morph_start[c + 1]
    morph_vertex: Ints  # [E]
    morph_delta: Floats  # [E, 6], position and normal


class Surface(NamedTuple):
    """One row per mesh, and the texels of all of them: linear RGB plus one free channel (alpha or roughness)."""

    table: NDArray[np.float64]  # [meshes, 10]
    texels: Floats  # [texels, 4]


def pack(scene: Scene, coefficient_names: tuple[str, ...], pixels_per_metre: float) -> tuple[Geometry, Surface]:
    """Flatten a scene. `coefficient_names` gives the morphs their order; names without a morph stay empty."""
    meshes = scene.meshes
    offsets = np.cumsum([0, *(len(m.positions) for m in meshes)])
    start, vertex, delta = _sparse_morphs(meshes, offsets, coefficient_names)
    geometry = Geometry(
        positions=_stack([m.positions for m in meshes]),
        normals=_stack([m.normals for m in meshes]),
        tangents=_stack([_tangents(m) for m in meshes]),
        uv=_stack([_uv(m) for m in meshes]),
        colors=_stack([_colors(m) for m in meshes]),
        joints=np.concatenate([_joints(m)[0] for m in meshes]),
        weights=_stack([_joints(m)[1] for m in meshes]),
        triangles=_triangles(meshes, offsets),
        morph_start=start,
        morph_vertex=vertex,
        morph_delta=delta,
    )
    return geometry, _surfaces(meshes, pixels_per_metre)


def _stack(parts: list[Floats]) -> Floats:
    return np.ascontiguousarray(np.concatenate(parts), np.float32)


def _triangles(meshes: tuple[Mesh, ...], offsets: NDArray[np.int64]) -> Ints:
    rows = []
    for surface, (mesh, offset) in enumerate(zip(meshes, offsets, strict=False)):
        traits = np.tile([surface, mesh.material.double_sided], (len(mesh.indices), 1))
        rows.append(np.concatenate([mesh.indices + offset, traits], axis=1))  # [T, 5]
    return np.ascontiguousarray(np.concatenate(rows), np.int32)


def _uv(mesh: Mesh) -> Floats:
    return np.zeros((len(mesh.positions), 2), np.float32) if mesh.uv is None else mesh.uv


def _colors(mesh: Mesh) -> Floats:
    return np.ones((len(mesh.positions), 3), np.float32) if mesh.colors is None else mesh.colors[:, :3]


def _joints(mesh: Mesh) -> tuple[Ints, Floats]:
    count = len(mesh.positions)
    if mesh.joints is None or mesh.weights is None:
        weights = np.zeros((count, 4), np.float32)
        weights[:, 0] = 1
        return np.zeros((count, 4), np.int32), weights
    return mesh.joints, mesh.weights / np.maximum(mesh.weights.sum(1, keepdims=True), 1e-6)


def _tangents(mesh: Mesh) -> Floats:
    """d position / d v per vertex [V, 3], unit length; the strand direction of hair."""
    out = np.zeros_like(mesh.positions)
    if mesh.uv is not None:
        p, t = mesh.positions[mesh.indices], mesh.uv[mesh.indices]  # [T, 3, 3], [T, 3, 2]
        edge1, edge2, uv1, uv2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0], t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
        determinant = uv1[:, 0] * uv2[:, 1] - uv2[:, 0] * uv1[:, 1]
        along = (edge2 * uv1[:, :1] - edge1 * uv2[:, :1]) * np.sign(determinant)[:, None]
        for corner in range(3):
            np.add.at(out, mesh.indices[:, corner], along)
    length = np.linalg.norm(out, axis=1, keepdims=True)
    return np.where(length > 1e-9, out / np.maximum(length, 1e-9), np.array([0, -1, 0], np.float32)).astype(np.float32)


def _sparse_morphs(meshes: tuple[Mesh, ...], offsets: NDArray[np.int64], names: tuple[str, ...]) -> tuple[Ints, Ints, Floats]:
    start, vertices, deltas = [0], [np.zeros(0, np.int32)], [np.zeros((0, 6), np.float32)]
    for name in names:
        for mesh, offset in zip(meshes, offsets, strict=False):
            if name in mesh.morph_names:
                row = _morph_rows(mesh, mesh.morph_names.index(name))  # [V, 6]
                moved = np.flatnonzero(np.abs(row).max(1) > 1e-7)
                vertices.append((moved + offset).astype(np.int32))
                deltas.append(row[moved])
        start.append(sum(len(v) for v in vertices))
    return np.array(start, np.int32), np.concatenate(vertices), _stack(deltas)


def _morph_rows(mesh: Mesh, index: int) -> Floats:
    normals = mesh.morph_normal_deltas
    turn = np.zeros_like(mesh.positions) if normals is None else normals[index]
    return np.concatenate([mesh.morph_deltas[index], turn], axis=1)


def _surfaces(meshes: tuple[Mesh, ...], pixels_per_metre: float) -> Surface:
    rows, texels, start = [], [], 0
    for mesh in meshes:
        image = _texels(mesh, pixels_per_metre)  # [h, w, 4]
        height, width = image.shape[:2]
        material = mesh.material
        kind = KIND_OF_MATERIAL.get(material.name, LASH if material.alpha_mode == "BLEND" else GENERIC)
        cutoff = material.alpha_cutoff if material.alpha_mode == "MASK" else 0.0
        clamp = bool(material.base_texture and material.base_texture.clamp_v)
        rows.append([kind, *material.base_color[:3], material.roughness, cutoff, start, width, height, clamp])
        texels.append(image.reshape(-1, 4))
        start += width * height
    return Surface(np.array(rows, np.float64), _stack(texels))


def _texels(mesh: Mesh, pixels_per_metre: float) -> Floats:
    """Base colour (linear) and, in the last channel, alpha or the skin's roughness: float32 [h, w, 4].

    The camera never moves, so one level of detail, filtered here, replaces a mip chain at run time.
    """
    texture = mesh.material.base_texture
    if texture is None:
        return np.ones((1, 1, 4), np.float32)
    height, width = texture.pixels.shape[:2]
    sharpen = SHARPEN_HAIR if mesh.material.name == "Hair" else SHARPEN
    scale = min(1.0, sharpen * pixels_per_metre / _texels_per_metre(mesh, texture))
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    pixels = np.asarray(Image.fromarray(texture.pixels).resize(size, Image.Resampling.LANCZOS), np.float32) / np.float32(255)
    # Filtering thins single lashes below what the eye reads as a lash line.
    alpha = pixels[..., 3:] * (1.6 if mesh.material.alpha_mode == "BLEND" else 1.0)
    out = np.concatenate([srgb_to_linear(pixels[..., :3]), np.minimum(alpha, 1)], axis=-1)
    rough = mesh.material.roughness_texture
    if rough is not None and mesh.material.alpha_mode == "OPAQUE":
        green = Image.fromarray(rough.pixels[..., 1]).resize(size, Image.Resampling.BILINEAR)
        out[..., 3] = np.asarray(green, np.float32) / 255
    return np.ascontiguousarray(out, np.float32)


def _texels_per_metre(mesh: Mesh, texture: Texture) -> float:
    """Median texel density over the triangles that face the camera."""
    p, t = mesh.positions[mesh.indices], _uv(mesh)[mesh.indices]
    facing = mesh.normals[mesh.indices][:, :, 2].mean(1) > 0.3
    facing = facing if facing.any() else np.ones(len(p), bool)
    area = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)[facing]
    e1, e2 = (t[:, 1] - t[:, 0])[facing], (t[:, 2] - t[:, 0])[facing]
    height, width = texture.pixels.shape[:2]
    texels = np.abs(e1[:, 0] * e2[:, 1] - e2[:, 0] * e1[:, 1]) * height * width
    return float(np.sqrt(np.median(texels / np.maximum(area, 1e-12)))) or 1.0


def srgb_to_linear(values: Floats) -> Floats:
    """sRGB 0..1 -> linear 0..1 (IEC 61966-2-1), any shape."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)
