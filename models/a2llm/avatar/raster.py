"""Vertices to pixels: morphing, skinning, projection and the z-buffer, compiled by numba.

It decides which triangle a sample sees and stores that; colours are shading.py's part. Kernels take bare arrays: a
tuple of arrays would cost a locked reference count per access.
"""

import numpy as np
from numba import njit

from a2llm.avatar.drawable import (
    CLAMP_V,
    CUTOFF,
    KIND,
    LASH,
    TEXEL_HEIGHT,
    TEXEL_START,
    TEXEL_WIDTH,
    Floats,
    Ints,
)

kernel = njit(cache=True, fastmath=True, nogil=True, error_model="numpy")
# Passing arrays to a compiled function counts references; what runs once per pixel is pasted into its caller instead.
inlined = njit(cache=True, fastmath=True, nogil=True, error_model="numpy", inline="always")
# Columns of the drawn vertices [V, 17]: screen x, y and nearness, then what shading interpolates.
SCREEN, POSITION, NORMAL, TANGENT, UV, COLOR, COLUMNS = 0, 3, 6, 9, 12, 14, 17
# Third and later columns of Geometry.triangles.
SURFACE_ROW, TWO_SIDED = 3, 4
OPAQUE, ALPHA_TESTED, BLENDED = range(3)


@kernel
def morph(start: Ints, entry: Ints, delta: Floats, coefs: Floats, rest: Floats, vertices: Floats) -> None:
    """Sparse morphs: rest [V,17] + sum of coefs [C] * delta [E,6] -> position and normal of vertices [V,17]."""
    vertices[:] = rest
    for c in range(len(start) - 1):
        weight = coefs[c]
        if weight != 0.0:
            for e in range(start[c], start[c + 1]):
                v = entry[e]
                for k in range(6):
                    vertices[v, POSITION + k] += weight * delta[e, k]


@kernel
def skin(joints: Ints, weights: Floats, bones: Floats, vertices: Floats) -> None:
    """Linear blend skinning in place. joints, weights [V,4], bones [J,3,4], vertices [V,17]."""
    for v in range(len(vertices)):
        px, py, pz = vertices[v, 3], vertices[v, 4], vertices[v, 5]
        nx, ny, nz = vertices[v, 6], vertices[v, 7], vertices[v, 8]
        tx, ty, tz = vertices[v, 9], vertices[v, 10], vertices[v, 11]
        for row in range(3):
            a = b = c = d = np.float32(0)
            for k in range(4):
                w, j = weights[v, k], joints[v, k]
                a += w * bones[j, row, 0]
                b += w * bones[j, row, 1]
                c += w * bones[j, row, 2]
                d += w * bones[j, row, 3]
            vertices[v, POSITION + row] = a * px + b * py + c * pz + d
            vertices[v, NORMAL + row] = a * nx + b * ny + c * nz
            vertices[v, TANGENT + row] = a * tx + b * ty + c * tz


@kernel
def project(vertices: Floats, eye: Floats, focal: float, center_x: float, center_y: float) -> None:
    """Pinhole camera at eye [3] looking along -z: fills the screen columns x, y and 1 / depth."""
    for v in range(len(vertices)):
        inverse = np.float32(1.0) / max(eye[2] - vertices[v, 5], np.float32(0.05))
        vertices[v, 0] = center_x + focal * (vertices[v, 3] - eye[0]) * inverse
        vertices[v, 1] = center_y - focal * (vertices[v, 4] - eye[1]) * inverse
        vertices[v, 2] = inverse


@kernel
def project_light(vertices: Floats, light: Floats) -> None:
    """Parallel light [4,4], see shading.resolve: fills the screen columns x, y and nearness in metres."""
    scale, center = light[3, 0], light[3, 1]
    for v in range(len(vertices)):
        x, y, z = vertices[v, 3], vertices[v, 4], vertices[v, 5]
        vertices[v, 0] = center + scale * (light[0, 0] * x + light[0, 1] * y + light[0, 2] * z + light[0, 3])
        vertices[v, 1] = center - scale * (light[1, 0] * x + light[1, 1] * y + light[1, 2] * z + light[1, 3])
        vertices[v, 2] = light[2, 0] * x + light[2, 1] * y + light[2, 2] * z + light[2, 3]


@kernel
def alpha_classes(triangles: Ints, vertices: Floats, table: np.ndarray, texels: Floats) -> Ints:
    """OPAQUE, ALPHA_TESTED or BLENDED per triangle, int32 [T]. Conservative: looks at every texel row in its reach."""
    out = np.zeros(len(triangles), np.int32)
    for t in range(len(out)):
        row = triangles[t, SURFACE_ROW]
        if table[row, KIND] == LASH:
            out[t] = BLENDED
        elif table[row, CUTOFF] > 0:
            v = vertices[triangles[t, :3], UV + 1]
            start, width, height = int(table[row, TEXEL_START]), int(table[row, TEXEL_WIDTH]), int(table[row, TEXEL_HEIGHT])
            first = min(max(int(v.min() * height) - 1, 0), height - 1)
            last = min(max(int(v.max() * height) + 1, 0), height - 1)
            lowest = texels[start + first * width : start + (last + 1) * width, 3].min()
            out[t] = ALPHA_TESTED if lowest < 0.95 else OPAQUE
    return out


@kernel
def rasterize(
    triangles: Ints, alpha_class: Ints, vertices: Floats, table: np.ndarray, texels: Floats, samples: int, depth: Floats, seen: Ints
) -> None:
    """Z-buffer over all but the blended triangles: depth [h,w] (nearness, greater wins), seen [h,w] (triangle or -1).

    `samples` is the supersampling factor: hair tips use one alpha threshold per sample of a pixel (alpha to coverage).
    """
    depth[:] = -1e9
    seen[:] = -1
    height, width = depth.shape
    for t in range(len(triangles)):
        if alpha_class[t] == BLENDED:
            continue
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, z0 = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        x1, y1, x2, y2 = vertices[j, 0], vertices[j, 1], vertices[k, 0], vertices[k, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        # Screen y points down, so a face turned to the camera has negative area.
        if area == 0 or (area > 0 and triangles[t, TWO_SIDED] == 0):
            continue
        left, right = max(int(min(x0, x1, x2) + 0.5), 0), min(int(max(x0, x1, x2) + 0.5), width)
        top, bottom = max(int(min(y0, y1, y2) + 0.5), 0), min(int(max(y0, y1, y2) + 0.5), height)
        if left >= right or top >= bottom:
            continue
        inverse = np.float32(1.0) / area
        step1, step2 = (y2 - y0) * inverse, (y0 - y1) * inverse
        rise1, rise2 = (x0 - x2) * inverse, (x1 - x0) * inverse
        z10, z20 = vertices[j, 2] - z0, vertices[k, 2] - z0
        dz = step1 * z10 + step2 * z20
        dx, dy = np.float32(left) + np.float32(0.5) - x0, np.float32(top) + np.float32(0.5) - y0
        row1, row2 = dx * step1 + dy * rise1, dx * step2 + dy * rise2
        opaque = alpha_class[t] == OPAQUE
        for y in range(top, bottom):
            b1, b2 = row1, row2
            z = z0 + b1 * z10 + b2 * z20
            for x in range(left, right):
                nearer = b1 >= 0 and b2 >= 0 and b1 + b2 <= 1 and z > depth[y, x]
                if nearer and (opaque or _alpha(triangles[t], vertices, table, texels, b1, b2) > _threshold(x, y, samples)):
                    depth[y, x] = z
                    seen[y, x] = t
                b1 += step1
                b2 += step2
                z += dz
            row1 += rise1
            row2 += rise2


@inlined
def _threshold(x: int, y: int, samples: int) -> float:
    return ((y % samples) * samples + x % samples + 0.5) / (samples * samples)


@kernel
def _alpha(triangle: Ints, vertices: Floats, table: np.ndarray, texels: Floats, b1: float, b2: float) -> float:
    """Alpha of the texel nearest to screen barycentrics (b1, b2), perspective-correct."""
    i, j, k, row = triangle[0], triangle[1], triangle[2], triangle[SURFACE_ROW]
    w0, w1, w2 = (1 - b1 - b2) * vertices[i, 2], b1 * vertices[j, 2], b2 * vertices[k, 2]
    scale = 1 / (w0 + w1 + w2)
    u = (w0 * vertices[i, UV] + w1 * vertices[j, UV] + w2 * vertices[k, UV]) * scale
    v = (w0 * vertices[i, UV + 1] + w1 * vertices[j, UV + 1] + w2 * vertices[k, UV + 1]) * scale
    width, height = int(table[row, TEXEL_WIDTH]), int(table[row, TEXEL_HEIGHT])
    x, y = int(np.floor(u * width)) % width, int(np.floor(v * height))
    y = min(max(y, 0), height - 1) if table[row, CLAMP_V] > 0 else y % height
    return texels[int(table[row, TEXEL_START]) + y * width + x, 3]


@kernel
def veil(triangles: Ints, blended: Ints, vertices: Floats, table: np.ndarray, texels: Floats, depth: Floats, clear: Floats) -> None:
    """How much light passes the lashes (triangles `blended`) before each sample: clear [h,w], 1 = all, in place.

    All lashes share one dark colour, so multiplying what they let through needs no sorting.
    """
    clear[:] = 1.0
    height, width = depth.shape
    for t in blended:
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1 = vertices[i, 0], vertices[i, 1], vertices[j, 0], vertices[j, 1]
        x2, y2 = vertices[k, 0], vertices[k, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0:
            continue
        for y in range(max(int(min(y0, y1, y2)), 0), min(int(max(y0, y1, y2)) + 1, height)):
            for x in range(max(int(min(x0, x1, x2)), 0), min(int(max(x0, x1, x2)) + 1, width)):
                dx, dy = x + 0.5 - x0, y + 0.5 - y0
                b1 = (dx * (y2 - y0) - dy * (x2 - x0)) / area
                b2 = (dy * (x1 - x0) - dx * (y1 - y0)) / area
                z = vertices[i, 2] * (1 - b1 - b2) + vertices[j, 2] * b1 + vertices[k, 2] * b2
                if b1 >= 0 and b2 >= 0 and b1 + b2 < 1 and z > depth[y, x]:
                    clear[y, x] *= 1 - _alpha(triangles[t], vertices, table, texels, b1, b2)
