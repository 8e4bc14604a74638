"""Reads a glTF 2.0 file (.glb, or .gltf with its buffers) into plain numpy arrays.

It is the part of glTF that a talking head needs: triangle meshes with morph targets, one skin, PBR
base materials and textures. It is not a validator, it draws nothing, and it ignores animations,
cameras, lights and extensions.

Source: Khronos glTF 2.0 specification, sections 3.6 (accessors), 3.7 (geometry) and 3.9 (materials).
"""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2llm.head.scene import Material, Mesh, Scene, Skeleton, Texture

Array = NDArray[Any]
Json = dict[str, Any]

AVATARS_DIR = Path(__file__).resolve().parents[2] / "avatars"  # the heads that ship
GLB_MAGIC = 0x46546C67
CHUNK_JSON = 0x4E4F534A
CHUNK_BIN = 0x004E4942
COMPONENT_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
TYPE_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
TRIANGLES = 4
WRAP_CLAMP = 33071


def load_glb(path: str | Path) -> Scene:
    """Read a .glb or .gltf file.

    Raises ValueError when the file is not glTF 2.0, is cut short, or holds no triangles.
    """
    file = Path(path)
    document, buffers = _read_container(file)
    if not str(document.get("asset", {}).get("version", "")).startswith("2"):
        raise ValueError(f"{file}: not a glTF 2.0 file")
    try:
        scene = _Reader(document, buffers, file.parent).scene()
    except (KeyError, IndexError, struct.error) as error:
        raise ValueError(f"{file}: broken glTF ({error!r})") from error
    if not scene.meshes:
        raise ValueError(f"{file}: holds no triangle mesh")
    return scene


def _read_container(file: Path) -> tuple[Json, list[bytes]]:
    data = file.read_bytes()
    if len(data) < 12 or struct.unpack_from("<I", data)[0] != GLB_MAGIC:
        return _parse_json(data, file), []
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2 or length > len(data):
        raise ValueError(f"{file}: GLB version {version}, {len(data)} of {length} bytes")
    chunks: dict[int, bytes] = {}
    at = 12
    while at + 8 <= length:
        size, kind = struct.unpack_from("<II", data, at)
        chunks.setdefault(kind, data[at + 8 : at + 8 + size])
        at += 8 + size
    if CHUNK_JSON not in chunks:
        raise ValueError(f"{file}: GLB without a JSON chunk")
    return _parse_json(chunks[CHUNK_JSON], file), [chunks.get(CHUNK_BIN, b"")]


def _parse_json(data: bytes, file: Path) -> Json:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise ValueError(f"{file}: neither GLB nor glTF JSON") from error
    if not isinstance(document, dict):
        raise ValueError(f"{file}: glTF JSON must be an object")
    return document


class _Reader:
    """Walks one parsed document; every method turns one glTF object into arrays."""

    def __init__(self, document: Json, buffers: list[bytes], folder: Path) -> None:
        self.document = document
        self.folder = folder
        self.buffers = [self._buffer(b, buffers) for b in document.get("buffers", [])]
        self.textures = [self._texture(t) for t in document.get("textures", [])]
        self.materials = [self._material(m) for m in document.get("materials", [])]

    def scene(self) -> Scene:
        meshes: list[Mesh] = []
        for node in self.document.get("nodes", []):
            if "mesh" in node:
                meshes += self._meshes(self.document["meshes"][node["mesh"]], node)
        skins = self.document.get("skins", [])
        skeleton = self._skeleton(skins[0]) if skins else None
        return Scene(tuple(meshes), skeleton)

    def _buffer(self, buffer: Json, embedded: list[bytes]) -> bytes:
        return self._uri(buffer["uri"]) if "uri" in buffer else embedded[0]

    def _uri(self, uri: str) -> bytes:
        if uri.startswith("data:"):
            return base64.b64decode(uri.split(",", 1)[1])
        return (self.folder / uri).read_bytes()

    def _view(self, index: int) -> tuple[bytes, int]:
        view = self.document["bufferViews"][index]
        start = view.get("byteOffset", 0)
        data = self.buffers[view["buffer"]][start : start + view["byteLength"]]
        if len(data) < view["byteLength"]:
            raise ValueError("glTF buffer is cut short")
        return data, view.get("byteStride", 0)

    def _strided(self, view: int, offset: int, dtype: str, count: int, width: int) -> Array:
        data, stride = self._view(view)
        item = np.dtype(dtype).itemsize
        strides = (stride or item * width, item)
        return np.ndarray((count, width), dtype, data, offset, strides).copy()  # [count, width]

    def accessor(self, index: int) -> Array:
        """[count, width], float32 where normalized; the file's type elsewhere."""
        spec = self.document["accessors"][index]
        dtype, width = COMPONENT_DTYPES[spec["componentType"]], TYPE_WIDTHS[spec["type"]]
        count = spec["count"]
        if "bufferView" in spec:
            values = self._strided(spec["bufferView"], spec.get("byteOffset", 0), dtype, count, width)
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in spec:
            self._apply_sparse(spec["sparse"], values)
        if spec.get("normalized"):
            return (values / np.float32(np.iinfo(values.dtype).max)).astype(np.float32)
        return values

    def _apply_sparse(self, sparse: Json, values: Array) -> None:
        at, new = sparse["indices"], sparse["values"]
        dtype = COMPONENT_DTYPES[at["componentType"]]
        rows = self._strided(at["bufferView"], at.get("byteOffset", 0), dtype, sparse["count"], 1)
        values[rows[:, 0]] = self._strided(
            new["bufferView"],
            new.get("byteOffset", 0),
            values.dtype.str,
            sparse["count"],
            values.shape[1],
        )

    def _texture(self, texture: Json) -> Texture:
        from PIL import Image

        image = self.document["images"][texture["source"]]
        data = self._view(image["bufferView"])[0] if "bufferView" in image else b""
        with Image.open(io.BytesIO(data or self._uri(image["uri"]))) as picture:
            pixels = np.asarray(picture.convert("RGBA"))
        samplers = self.document.get("samplers", [])
        sampler = samplers[texture["sampler"]] if "sampler" in texture else {}
        return Texture(pixels, sampler.get("wrapT") == WRAP_CLAMP)

    def _material(self, spec: Json) -> Material:
        pbr = spec.get("pbrMetallicRoughness", {})

        def texture(entry: Json | None) -> Texture | None:
            return self.textures[entry["index"]] if entry else None

        return Material(
            name=spec.get("name", ""),
            base_color=tuple(pbr.get("baseColorFactor", (1.0, 1.0, 1.0, 1.0))),
            base_texture=texture(pbr.get("baseColorTexture")),
            roughness=float(pbr.get("roughnessFactor", 1.0)),
            roughness_texture=texture(pbr.get("metallicRoughnessTexture")),
            alpha_mode=spec.get("alphaMode", "OPAQUE"),
            alpha_cutoff=float(spec.get("alphaCutoff", 0.5)),
            double_sided=bool(spec.get("doubleSided", False)),
        )

    def _meshes(self, mesh: Json, node: Json) -> list[Mesh]:
        names = tuple(mesh.get("extras", {}).get("targetNames", ()))
        title = node.get("name", mesh.get("name", ""))
        return [self._primitive(title, names, p) for p in mesh["primitives"] if p.get("mode", TRIANGLES) == TRIANGLES]

    def _primitive(self, name: str, target_names: tuple[str, ...], primitive: Json) -> Mesh:
        attributes = primitive["attributes"]
        positions = self.accessor(attributes["POSITION"]).astype(np.float32)
        indices = self._indices(primitive, len(positions))
        targets = primitive.get("targets", [])
        names = target_names or tuple(f"morph{i}" for i in range(len(targets)))
        material = self.materials[primitive["material"]] if "material" in primitive else Material()

        def optional(key: str, dtype: type) -> Array | None:
            return self.accessor(attributes[key]).astype(dtype) if key in attributes else None

        normals = optional("NORMAL", np.float32)
        return Mesh(
            name=name,
            positions=positions,
            normals=vertex_normals(positions, indices) if normals is None else normals,
            uv=optional("TEXCOORD_0", np.float32),
            colors=_with_alpha(optional("COLOR_0", np.float32)),
            indices=indices,
            joints=optional("JOINTS_0", np.int32),
            weights=optional("WEIGHTS_0", np.float32),
            morph_names=names[: len(targets)],
            morph_deltas=self._deltas(targets, "POSITION", len(positions)),
            morph_normal_deltas=(self._deltas(targets, "NORMAL", len(positions)) if any("NORMAL" in t for t in targets) else None),
            material=material,
        )

    def _indices(self, primitive: Json, vertex_count: int) -> Array:
        if "indices" not in primitive:
            return np.arange(vertex_count, dtype=np.int32).reshape(-1, 3)
        indices = self.accessor(primitive["indices"]).astype(np.int32).reshape(-1, 3)  # [T, 3]
        if indices.size and indices.max() >= vertex_count:
            raise ValueError("glTF index past the last vertex")
        return indices

    def _deltas(self, targets: list[Json], key: str, vertex_count: int) -> Array:
        out = np.zeros((len(targets), vertex_count, 3), np.float32)  # [M, V, 3]
        for row, target in enumerate(targets):
            if key in target:
                out[row] = self.accessor(target[key])
        return out

    def _skeleton(self, skin: Json) -> Skeleton:
        nodes, joints = self.document["nodes"], skin["joints"]
        parent_of = {c: i for i, n in enumerate(nodes) for c in n.get("children", [])}
        parents = [joints.index(p) if (p := parent_of.get(j)) in joints else -1 for j in joints]
        bind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
        if "inverseBindMatrices" in skin:  # glTF stores matrices by column
            bind = self.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        return Skeleton(
            names=tuple(nodes[j].get("name", f"bone{j}") for j in joints),
            parents=np.array(parents, np.int32),
            local=np.stack([_node_matrix(nodes[j]) for j in joints]),
            inverse_bind=np.ascontiguousarray(bind, np.float32),
            order=_parents_first(parents),
        )


def _parents_first(parents: list[int]) -> tuple[int, ...]:
    def depth(bone: int) -> int:
        return 0 if parents[bone] < 0 else 1 + depth(parents[bone])

    return tuple(sorted(range(len(parents)), key=depth))


def _node_matrix(node: Json) -> Array:
    if "matrix" in node:
        return np.array(node["matrix"], np.float32).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, :3] = rotation * np.array(node.get("scale", (1.0, 1.0, 1.0)))
    matrix[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return matrix  # [4, 4]


def _with_alpha(colors: Array | None) -> Array | None:
    if colors is None or colors.shape[1] == 4:
        return colors
    return np.concatenate([colors, np.ones((len(colors), 1), np.float32)], axis=1)  # [V, 4]


def vertex_normals(positions: Array, indices: Array) -> Array:
    """Area-weighted smooth normals. positions [V,3], indices [T,3] -> float32 [V,3], unit length."""
    a, b, c = (positions[indices[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)  # [T, 3]
    normals = np.zeros_like(positions)
    for k in range(3):
        np.add.at(normals, indices[:, k], faces)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.maximum(length, 1e-12)).astype(np.float32)
