"""The glTF reader, on a hand-made triangle and on the shipped heads."""

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from a2llm.head.gltf import AVATARS_DIR, load_glb, vertex_normals
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit

POSITIONS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4")


def _document() -> tuple[dict, bytes]:
    """A triangle with interleaved uv, and one sparse morph that lifts vertex 2 by 0.5."""
    interleaved = np.concatenate([POSITIONS, [[0, 0], [1, 0], [0, 1]]], axis=1).astype("<f4")
    parts = [
        interleaved.tobytes(),
        np.array([0, 1, 2, 0], "<u2").tobytes(),
        np.array([2, 0], "<u2").tobytes(),
        np.array([[0, 0, 0.5]], "<f4").tobytes(),
    ]
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    views = [{"buffer": 0, "byteOffset": s, "byteLength": len(p)} for s, p in zip(starts, parts, strict=False)]
    views[0]["byteStride"] = 20
    sparse = {"count": 1, "indices": {"bufferView": 2, "componentType": 5123}, "values": {"bufferView": 3}}
    document = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": starts[-1]}],
        "bufferViews": views,
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 0, "byteOffset": 12, "componentType": 5126, "count": 3, "type": "VEC2"},
            {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
            {"componentType": 5126, "count": 3, "type": "VEC3", "sparse": sparse},
        ],
        "meshes": [
            {
                "primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "targets": [{"POSITION": 3}]}],
                "extras": {"targetNames": ["jawOpen"]},
            }
        ],
        "nodes": [{"mesh": 0, "name": "Flag"}],
    }
    return document, b"".join(parts)


def _glb(document: dict, data: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<III", 0x46546C67, 2, 28 + len(text) + len(data))
    return head + struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data


def test_reads_interleaved_attributes_and_sparse_morphs(tmp_path: Path) -> None:
    file = tmp_path / "flag.glb"
    file.write_bytes(_glb(*_document()))
    mesh = load_glb(file).mesh("Flag")
    assert np.array_equal(mesh.positions, POSITIONS)
    assert mesh.uv is not None and mesh.uv[1].tolist() == [1, 0]
    assert mesh.morph_names == ("jawOpen",)
    assert mesh.morph_deltas[0].tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 0.5]]
    assert np.allclose(mesh.normals, [[0, 0, 1]] * 3)  # computed: the file has none


def test_reads_json_with_a_data_uri(tmp_path: Path) -> None:
    document, data = _document()
    document["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    file = tmp_path / "flag.gltf"
    file.write_text(json.dumps(document))
    assert load_glb(file).mesh("Flag").indices.tolist() == [[0, 1, 2]]


def test_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    document, data = _document()
    whole = _glb(document, data)
    for name, content in {"text": b"hello", "cut": whole[:-20], "empty": b"", "list": b"[]"}.items():
        file = tmp_path / f"{name}.glb"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=name):
            load_glb(file)
    document["accessors"][2]["bufferView"] = 99
    (tmp_path / "wild.glb").write_bytes(_glb(document, data))
    with pytest.raises(ValueError, match="broken"):
        load_glb(tmp_path / "wild.glb")


@pytest.mark.parametrize("look", ["woman", "man"])
def test_heads_hold_all_arkit_morphs(look: str) -> None:
    scene = load_glb(AVATARS_DIR / f"{look}.glb")
    assert set(scene.morph_names) == set(ARKIT61.names[:52])
    assert scene.skeleton is not None and "head" in scene.skeleton.names
    for mesh in scene.meshes:
        assert mesh.indices.max() < len(mesh.positions)
        assert mesh.weights is not None and np.allclose(mesh.weights.sum(1), 1, atol=1e-5)
        assert len(mesh.morph_names) == len(mesh.morph_deltas)
    jaw = scene.mesh("Head").morph_deltas[scene.mesh("Head").morph_names.index("jawOpen")]
    assert jaw[:, 1].min() < -0.01  # the chin drops by more than a centimetre


def test_skeleton_rests_in_its_bind_pose() -> None:
    skeleton = load_glb(AVATARS_DIR / "woman.glb").skeleton
    assert skeleton is not None
    world = np.zeros_like(skeleton.local)
    for bone in skeleton.order:
        parent = skeleton.parents[bone]
        world[bone] = skeleton.local[bone] if parent < 0 else world[parent] @ skeleton.local[bone]
    assert np.allclose(world @ skeleton.inverse_bind, np.eye(4), atol=1e-6)


def test_vertex_normals_are_unit_and_face_outwards() -> None:
    normals = vertex_normals(POSITIONS, np.array([[0, 2, 1]]))
    assert np.allclose(normals, [[0, 0, -1]] * 3)
