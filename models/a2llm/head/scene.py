"""A head as plain arrays: meshes with morph targets, their materials and textures, and the skeleton that moves them."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Texture:
    """An image as stored (sRGB or data, the use decides): uint8 [H,W,4]."""

    pixels: Array  # uint8 [H, W, 4]
    clamp_v: bool = False


@dataclass(frozen=True)
class Material:
    """Drawn part of a metallic-roughness material; base_color is linear RGBA."""

    name: str = ""
    base_color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    base_texture: Texture | None = None
    roughness: float = 1.0
    roughness_texture: Texture | None = None  # G = roughness, B = metallic
    alpha_mode: str = "OPAQUE"  # OPAQUE | MASK | BLEND
    alpha_cutoff: float = 0.5
    double_sided: bool = False


@dataclass(frozen=True)
class Mesh:
    """One triangle primitive. V vertices, T triangles, M morph targets."""

    name: str
    positions: Array  # float32 [V, 3]
    normals: Array  # float32 [V, 3]
    uv: Array | None  # float32 [V, 2]
    colors: Array | None  # float32 [V, 4], linear
    indices: Array  # int32 [T, 3]
    joints: Array | None  # int32 [V, 4], index into Skeleton
    weights: Array | None  # float32 [V, 4]
    morph_names: tuple[str, ...]  # M
    morph_deltas: Array  # float32 [M, V, 3]
    morph_normal_deltas: Array | None  # float32 [M, V, 3]
    material: Material


@dataclass(frozen=True)
class Skeleton:
    """Bones in skin order; a parent always precedes its children in `order`."""

    names: tuple[str, ...]  # J
    parents: Array  # int32 [J], -1 for a root
    local: Array  # float32 [J, 4, 4], rest pose relative to the parent
    inverse_bind: Array  # float32 [J, 4, 4]
    order: tuple[int, ...]

    def index(self, name: str) -> int:
        """Bone index of `name`. Raises ValueError when the skeleton has no such bone."""
        return self.names.index(name)


@dataclass(frozen=True)
class Scene:
    """All meshes of the file in node order, and the first skin's skeleton."""

    meshes: tuple[Mesh, ...]
    skeleton: Skeleton | None

    def mesh(self, name: str) -> Mesh:
        """The mesh called `name`. Raises ValueError when there is none."""
        for mesh in self.meshes:
            if mesh.name == name:
                return mesh
        raise ValueError(f"no mesh {name!r}; the file has {[m.name for m in self.meshes]}")

    @property
    def morph_names(self) -> tuple[str, ...]:
        """Every morph name of any mesh, sorted."""
        return tuple(sorted({name for mesh in self.meshes for name in mesh.morph_names}))
