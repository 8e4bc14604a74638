"""Resolves visible samples to colours: surface, texture, shadow and tone, compiled by numba. The light is `surfaces`' part.

Tone curve: Narkowicz' fit of ACES (2015). All colours are linear until the table of `encode_table`.
"""

import numpy as np

from a2llm.avatar.drawable import (
    BLUE,
    CLAMP_V,
    CLOTH,
    EYE,
    GREEN,
    HAIR,
    KIND,
    RED,
    ROUGHNESS,
    SKIN,
    TEXEL_HEIGHT,
    TEXEL_START,
    TEXEL_WIDTH,
    WET,
    Floats,
    Ints,
)
from a2llm.avatar.raster import COLOR, NORMAL, POSITION, SURFACE_ROW, TANGENT, TWO_SIDED, UV, inlined, kernel
from a2llm.avatar.surfaces import (
    HALF,
    ONE,
    ZERO,
    Real,
    Vec,
    clamp,
    cloth_color,
    diffuse,
    dot,
    eye_color,
    hair_color,
    skin_color,
    unit,
    wet_color,
)

Texels = tuple[int, int, int, bool]
LASH_COLOR = (0.012, 0.009, 0.008)
EXPOSURE = 0.66
SHADOW_OFFSET_METRES = np.float32(0.0035)
SHADOW_FLOOR = 0.18  # light that reaches a shadow by way of the room
SAME_SURFACE_METRES = 0.004
ENCODE_STEPS = 4096


def encode_table() -> np.ndarray:
    """Linear 0..1 in ENCODE_STEPS steps -> sRGB byte, uint8 [ENCODE_STEPS]."""
    x = np.arange(ENCODE_STEPS) / (ENCODE_STEPS - 1)
    return np.round(255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)).astype(np.uint8)


@kernel
def _tone(x: Real) -> Real:
    x *= EXPOSURE
    return min(max((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), 0.0), 1.0)


@inlined
def _bilinear(texels: Floats, place: Texels, u: Real, v: Real) -> tuple[Real, Real, Real, Real]:
    """Filtered texel at (u, v); `place` is (start, width, height, clamp_v)."""
    start, width, height, clamp = place
    # Wrapping by subtraction: an integer division costs more than the four loads.
    x = (u - np.floor(u)) * np.float32(width) - HALF
    y = (v if clamp else v - np.floor(v)) * np.float32(height) - HALF
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - np.float32(x0), y - np.float32(y0)
    left, right = (x0 if x0 >= 0 else width - 1), (x0 + 1 if x0 + 1 < width else 0)
    if clamp:
        top, bottom = min(max(y0, 0), height - 1), min(max(y0 + 1, 0), height - 1)
    else:
        top, bottom = (y0 if y0 >= 0 else height - 1), (y0 + 1 if y0 + 1 < height else 0)
    a, b = start + top * width + left, start + top * width + right
    c, d = start + bottom * width + left, start + bottom * width + right
    wa, wb, wc, wd = (ONE - fx) * (ONE - fy), fx * (ONE - fy), (ONE - fx) * fy, fx * fy
    return (
        texels[a, 0] * wa + texels[b, 0] * wb + texels[c, 0] * wc + texels[d, 0] * wd,
        texels[a, 1] * wa + texels[b, 1] * wb + texels[c, 1] * wc + texels[d, 1] * wd,
        texels[a, 2] * wa + texels[b, 2] * wb + texels[c, 2] * wc + texels[d, 2] * wd,
        texels[a, 3] * wa + texels[b, 3] * wb + texels[c, 3] * wc + texels[d, 3] * wd,
    )


@inlined
def _lit_share(shadow: Floats, light: Floats, x: Real, y: Real, z: Real) -> Real:
    """Share of the key light that arrives, 0..1: 3 x 3 shadow-map cells, their border weighted by the position."""
    size = shadow.shape[0]
    sx = light[3, 1] + light[3, 0] * (light[0, 0] * x + light[0, 1] * y + light[0, 2] * z + light[0, 3]) - HALF
    sy = light[3, 1] - light[3, 0] * (light[1, 0] * x + light[1, 1] * y + light[1, 2] * z + light[1, 3]) - HALF
    near = light[2, 0] * x + light[2, 1] * y + light[2, 2] * z + light[2, 3]
    x0, y0 = int(sx), int(sy)
    if x0 < 1 or y0 < 1 or x0 >= size - 2 or y0 >= size - 2:
        return ONE
    fx, fy, lit = sx - np.float32(x0), sy - np.float32(y0), ZERO
    for i in range(-1, 3):
        row = ONE - fx if shadow[y0 + i, x0 - 1] <= near else ZERO
        row += ONE if shadow[y0 + i, x0] <= near else ZERO
        row += ONE if shadow[y0 + i, x0 + 1] <= near else ZERO
        row += fx if shadow[y0 + i, x0 + 2] <= near else ZERO
        lit += row * ((ONE - fy) if i == -1 else (fy if i == 2 else ONE))
    return lit * np.float32(1 / 9)


@kernel
def _mix3(rows: Floats, at: int, i: int, j: int, k: int, weights: Vec) -> Vec:
    a, b, c = weights
    return (
        a * rows[i, at] + b * rows[j, at] + c * rows[k, at],
        a * rows[i, at + 1] + b * rows[j, at + 1] + c * rows[k, at + 1],
        a * rows[i, at + 2] + b * rows[j, at + 2] + c * rows[k, at + 2],
    )


@inlined
def _corner_weights(vertices: Floats, i: int, j: int, k: int, x: Real, y: Real) -> Vec:
    """Perspective-correct weights of the corners at sample position (x, y), clamped into the triangle."""
    x10, y10 = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1]
    x20, y20 = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1]
    inverse = ONE / (x10 * y20 - x20 * y10)
    dx, dy = x - vertices[i, 0], y - vertices[i, 1]
    b1 = clamp((dx * y20 - dy * x20) * inverse)
    b2 = min(clamp((dy * x10 - dx * y10) * inverse), ONE - b1)
    a, b, c = (ONE - b1 - b2) * vertices[i, 2], b1 * vertices[j, 2], b2 * vertices[k, 2]
    scale = ONE / (a + b + c)
    return a * scale, b * scale, c * scale


@inlined
def _shade(
    triangles: Ints,
    vertices: Floats,
    table: np.ndarray,
    texels: Floats,
    shadow: Floats,
    light: Floats,
    eye: Floats,
    t: int,
    x: Real,
    y: Real,
) -> Vec:
    """Linear colour of triangle t at sample position (x, y)."""
    i, j, k, row = triangles[t, 0], triangles[t, 1], triangles[t, 2], triangles[t, SURFACE_ROW]
    w = _corner_weights(vertices, i, j, k, x, y)
    p, n = _mix3(vertices, POSITION, i, j, k, w), _mix3(vertices, NORMAL, i, j, k, w)
    n = unit(n[0], n[1], n[2])
    view = unit(eye[0] - p[0], eye[1] - p[1], eye[2] - p[2])
    if triangles[t, TWO_SIDED] and dot(n, view) < 0:
        n = (-n[0], -n[1], -n[2])
    u = w[0] * vertices[i, UV] + w[1] * vertices[j, UV] + w[2] * vertices[k, UV]
    v = w[0] * vertices[i, UV + 1] + w[1] * vertices[j, UV + 1] + w[2] * vertices[k, UV + 1]
    start, width, height = int(table[row, TEXEL_START]), int(table[row, TEXEL_WIDTH]), int(table[row, TEXEL_HEIGHT])
    texel = _bilinear(texels, (start, width, height, table[row, CLAMP_V] > 0), u, v)
    tint = _mix3(vertices, COLOR, i, j, k, w)
    base = (
        texel[0] * tint[0] * table[row, RED],
        texel[1] * tint[1] * table[row, GREEN],
        texel[2] * tint[2] * table[row, BLUE],
    )
    off = SHADOW_OFFSET_METRES
    lit = _lit_share(shadow, light, p[0] + off * n[0], p[1] + off * n[1], p[2] + off * n[2])
    lit = SHADOW_FLOOR + (1 - SHADOW_FLOOR) * lit
    kind = int(table[row, KIND])
    if kind == SKIN:
        return skin_color(n, view, base, texel[3] * table[row, ROUGHNESS], lit)
    if kind == HAIR:
        along = _mix3(vertices, TANGENT, i, j, k, w)
        return hair_color(n, unit(along[0], along[1], along[2]), view, base, texel[0], tint[0], lit)
    if kind == EYE:
        return eye_color(n, view, base, lit)
    if kind == WET:
        return wet_color(n, view, base, table[row, ROUGHNESS], lit)
    if kind == CLOTH:
        return cloth_color(n, view, base, lit)
    return diffuse(n, base, lit, (0.1, 0.1, 0.1))


@inlined
def _gather(
    triangles: Ints,
    depth: Floats,
    seen: Ints,
    clear: Floats,
    px: int,
    py: int,
    samples: int,
    tri: Ints,
    near: Floats,
    place: Floats,
) -> tuple[int, Real]:
    """Group the samples of a pixel that lie on the same part.

    Fills per group: tri [n] a triangle, near [n] its nearness, place [n,3] sums of x, y and the number of samples.
    Returns the number of groups and the mean of `clear`.
    """
    groups, passed = 0, ZERO
    for s in range(samples * samples):
        y, x = py * samples + s // samples, px * samples + s % samples
        passed += clear[y, x]
        t, z = seen[y, x], depth[y, x]
        if t < 0:
            continue
        row, g = triangles[t, SURFACE_ROW], 0
        while g < groups and not (row == triangles[tri[g], SURFACE_ROW] and abs(z - near[g]) < SAME_SURFACE_METRES * z * z):
            g += 1
        if g == groups:
            groups += 1
            tri[g], near[g] = t, z
            place[g, :] = ZERO
        place[g, 0] += np.float32(x) + HALF
        place[g, 1] += np.float32(y) + HALF
        place[g, 2] += ONE
    return groups, passed / np.float32(samples * samples)


@kernel
def resolve(
    triangles: Ints,
    vertices: Floats,
    table: np.ndarray,
    texels: Floats,
    depth: Floats,
    seen: Ints,
    clear: Floats,
    shadow: Floats,
    light: Floats,
    eye: Floats,
    background: Floats,
    encode: np.ndarray,
    samples: int,
    out: np.ndarray,
) -> None:
    """Shade and average: out uint8 [H,W,3] over background float32 [H,W,3] (display-linear).

    depth, seen, clear [h,w] count samples; shadow [n,n] is the nearness to the key light; light [4,4] holds the rows
    right, up and towards the light, then scale and centre of the shadow map; eye [3] is the camera.
    Samples of one pixel that lie on the same part are shaded once, at their centre: the cost of one sample inside a
    surface, the edges of samples^2.
    """
    count = np.float32(samples * samples)
    tri, near = np.empty(samples * samples, np.int32), np.empty(samples * samples, np.float32)
    place = np.empty((samples * samples, 3), np.float32)
    for py in range(out.shape[0]):
        for px in range(out.shape[1]):
            groups, passed = _gather(triangles, depth, seen, clear, px, py, samples, tri, near, place)
            empty, r, g, b = count, 0.0, 0.0, 0.0
            for k in range(groups):
                n = place[k, 2]
                x, y = place[k, 0] / n, place[k, 1] / n
                color = _shade(triangles, vertices, table, texels, shadow, light, eye, tri[k], x, y)
                r, g, b = r + _tone(color[0]) * n, g + _tone(color[1]) * n, b + _tone(color[2]) * n
                empty -= n
            r += background[py, px, 0] * empty
            g += background[py, px, 1] * empty
            b += background[py, px, 2] * empty
            scale, lash = passed / count * (ENCODE_STEPS - 1), (1 - passed) * (ENCODE_STEPS - 1)
            out[py, px, 0] = encode[int(r * scale + lash * LASH_COLOR[0] + 0.5)]
            out[py, px, 1] = encode[int(g * scale + lash * LASH_COLOR[1] + 0.5)]
            out[py, px, 2] = encode[int(b * scale + lash * LASH_COLOR[2] + 0.5)]
