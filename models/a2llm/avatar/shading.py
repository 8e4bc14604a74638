"""Light and colour: what each visible sample looks like, compiled by numba.

A small studio: hemisphere ambient, a warm key light with soft shadows, a cool fill, two rims. Surfaces: skin with a
cheap subsurface wrap and two specular lobes, eyes with a softbox reflection, wet mouth, cloth with sheen, hair with two
strand highlights (Kajiya & Kay 1989; Marschner et al. 2003 for the shifted lobes). Specular: GGX in Karis' mobile form
(SIGGRAPH 2013 course). Tone curve: Narkowicz' fit of ACES (2015). All colours are linear until `encode`.
"""

from typing import Any

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

Real = float | np.floating[Any]  # numba picks the width
Vec = tuple[Real, Real, Real]
Texels = tuple[int, int, int, bool]
KEY_DIRECTION = (-0.46, 0.50, 0.73)
FILL_DIRECTION = (0.80, 0.12, 0.59)
RIM_DIRECTION = (0.72, 0.45, -0.53)
BACK_DIRECTION = (-0.75, 0.40, -0.53)
KEY_COLOR = (1.42, 1.30, 1.18)
FILL_COLOR = (0.34, 0.38, 0.45)
RIM_COLOR = (0.95, 0.98, 1.05)
BACK_COLOR = (0.50, 0.52, 0.58)
SKY_COLOR = (0.56, 0.60, 0.66)
GROUND_COLOR = (0.30, 0.26, 0.24)
LASH_COLOR = (0.012, 0.009, 0.008)
EXPOSURE = 0.66
SHADOW_OFFSET_METRES = np.float32(0.0035)
SHADOW_FLOOR = 0.18  # light that reaches a shadow by way of the room
SAME_SURFACE_METRES = 0.004
ENCODE_STEPS = 4096
# A bare literal is float64 to numba and would pull the inner loop up to doubles.
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
TINY = np.float32(1e-20)


def encode_table() -> np.ndarray:
    """Linear 0..1 in ENCODE_STEPS steps -> sRGB byte, uint8 [ENCODE_STEPS]."""
    x = np.arange(ENCODE_STEPS) / (ENCODE_STEPS - 1)
    return np.round(255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)).astype(np.uint8)


@kernel
def _tone(x: Real) -> Real:
    x *= EXPOSURE
    return min(max((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), 0.0), 1.0)


@kernel
def _clamp(x: Real) -> Real:
    return min(max(x, ZERO), ONE)


@kernel
def _dot(a: Vec, b: Vec) -> Real:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def _unit(x: Real, y: Real, z: Real) -> Vec:
    scale = ONE / np.sqrt(x * x + y * y + z * z + TINY)
    return x * scale, y * scale, z * scale


@kernel
def _half(a: Vec, b: Vec) -> Vec:
    return _unit(a[0] + b[0], a[1] + b[1], a[2] + b[2])


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
def _gloss(n: Vec, light: Vec, view: Vec, roughness: Real) -> Real:
    """GGX highlight without the Fresnel factor, already times n.l."""
    h = _half(light, view)
    ndl = max(_dot(n, light), 0.0)
    ndh, ldh = max(_dot(n, h), 0.0), max(_dot(light, h), 0.1)
    a2 = roughness**4
    d = ndh * ndh * (a2 - 1) + 1
    return ndl * a2 / (4 * d * d * ldh * ldh * (roughness + 0.5) + 1e-7)


@kernel
def _wrap(cosine: Real, width: Real) -> Real:
    return max(cosine + width, 0.0) / ((1 + width) * (1 + width))


@kernel
def _strand(tangent: Vec, n: Vec, shift: Real, light: Vec, view: Vec) -> Real:
    """sin(strand, half vector) for a strand tilted by `shift` along the normal."""
    t = _unit(tangent[0] + shift * n[0], tangent[1] + shift * n[1], tangent[2] + shift * n[2])
    along = _dot(t, _half(light, view))
    return np.sqrt(max(1 - along * along, 0.0))


@kernel
def _power(x: Real, doublings: int) -> Real:
    for _ in range(doublings):
        x *= x
    return x


@kernel
def _diffuse(n: Vec, base: Vec, lit: Real, wrap: Vec) -> Vec:
    """Ambient plus the four lights, per channel wrapped around the terminator."""
    key, fill = _dot(n, KEY_DIRECTION), _dot(n, FILL_DIRECTION)
    rim, back = max(_dot(n, RIM_DIRECTION), 0.0), max(_dot(n, BACK_DIRECTION), 0.0)
    up = 0.5 + 0.5 * n[1]
    ambient = 0.80 + 0.20 * lit
    # Red light travels furthest in skin: it softens the shadow's border by the same order as the wrap.
    red, green = lit + lit * (1 - lit) * wrap[0] * 2, lit + lit * (1 - lit) * wrap[1] * 2
    r = KEY_COLOR[0] * red * _wrap(key, wrap[0]) + FILL_COLOR[0] * _wrap(fill, wrap[0])
    g = KEY_COLOR[1] * green * _wrap(key, wrap[1]) + FILL_COLOR[1] * _wrap(fill, wrap[1])
    b = KEY_COLOR[2] * lit * _wrap(key, wrap[2]) + FILL_COLOR[2] * _wrap(fill, wrap[2])
    edge = 0.5
    r += edge * (RIM_COLOR[0] * rim + BACK_COLOR[0] * back) + ambient * (GROUND_COLOR[0] + (SKY_COLOR[0] - GROUND_COLOR[0]) * up)
    g += edge * (RIM_COLOR[1] * rim + BACK_COLOR[1] * back) + ambient * (GROUND_COLOR[1] + (SKY_COLOR[1] - GROUND_COLOR[1]) * up)
    b += edge * (RIM_COLOR[2] * rim + BACK_COLOR[2] * back) + ambient * (GROUND_COLOR[2] + (SKY_COLOR[2] - GROUND_COLOR[2]) * up)
    return base[0] * r, base[1] * g, base[2] * b


@kernel
def _skin(n: Vec, view: Vec, base: Vec, roughness: Real, lit: Real) -> Vec:
    r, g, b = _diffuse(n, base, lit, (0.34, 0.16, 0.09))
    facing = _clamp(_dot(n, view))
    fresnel = 0.028 + 0.60 * (1 - facing) ** 5
    gloss = 0.7 * _gloss(n, KEY_DIRECTION, view, roughness) + 0.3 * _gloss(n, KEY_DIRECTION, view, roughness * 0.75)
    key = 0.034 * gloss * lit
    fill = 0.012 * _gloss(n, FILL_DIRECTION, view, roughness)
    edge = fresnel * (0.30 * (0.5 + 0.5 * n[1]) + 0.55 * max(_dot(n, RIM_DIRECTION) + 0.35, 0.0))
    return r + key * 1.04 + fill + edge * 0.90, g + key + fill + edge * 0.94, b + key * 0.94 + fill + edge


@kernel
def _softbox(n: Vec, view: Vec) -> Real:
    """Reflection of a rounded square lamp up and to the left of the camera, 0..1."""
    k = 2 * _dot(n, view)
    rx, ry, rz = k * n[0] - view[0], k * n[1] - view[1], k * n[2] - view[2]
    if rz <= 0.05:
        return 0.0
    x, y = abs(rx / rz + 0.55), abs(ry / rz - 0.62)
    far = max(x, y) - 0.24
    return _clamp(1 - far / 0.10)


@kernel
def _eye(n: Vec, view: Vec, base: Vec, lit: Real) -> Vec:
    shade = 0.62 + 0.38 * lit
    r, g, b = _diffuse(n, base, 0.35 + 0.65 * lit, (0.25, 0.2, 0.18))
    # The upper lid and its lashes darken the top of the ball.
    lid = shade * (1 - 0.42 * _clamp(n[1] * 2.2 - 0.05))
    shine = 0.75 * _softbox(n, view) * (0.35 + 0.65 * lit) + 0.02 * _gloss(n, FILL_DIRECTION, view, 0.25)
    return r * lid + shine, g * lid + shine, b * lid + shine


@kernel
def _wet(n: Vec, view: Vec, base: Vec, roughness: Real, lit: Real) -> Vec:
    inside = 0.30 + 0.45 * lit
    r, g, b = _diffuse(n, base, lit, (0.3, 0.2, 0.15))
    shine = 0.05 * (_gloss(n, KEY_DIRECTION, view, roughness) + 0.3 * _gloss(n, FILL_DIRECTION, view, roughness)) * lit
    return r * inside + shine, g * inside + shine, b * inside + shine


@kernel
def _cloth(n: Vec, view: Vec, base: Vec, lit: Real) -> Vec:
    r, g, b = _diffuse(n, base, lit, (0.10, 0.10, 0.10))
    sheen = 0.55 * (1 - _clamp(_dot(n, view))) ** 3 * (0.4 + 0.6 * _clamp(0.5 + 0.5 * n[1]))
    return r + base[0] * sheen, g + base[1] * sheen, b + base[2] * sheen


@kernel
def _hair(n: Vec, tangent: Vec, view: Vec, base: Vec, strand: Real, occlusion: Real, lit: Real) -> Vec:
    r, g, b = _diffuse(n, base, lit, (0.30, 0.30, 0.30))
    shift = 0.10 * (strand - 0.5)
    key_lit = lit * _clamp(_dot(n, KEY_DIRECTION) * 1.6 + 0.35) * occlusion
    white = _power(_strand(tangent, n, shift - 0.06, KEY_DIRECTION, view), 6) * key_lit
    tinted = _power(_strand(tangent, n, shift + 0.10, KEY_DIRECTION, view), 4) * key_lit
    rim_lit = _clamp(_dot(n, RIM_DIRECTION) * 1.5 + 0.3) * occlusion
    rim = _power(_strand(tangent, n, shift, RIM_DIRECTION, view), 4) * rim_lit
    back = _clamp(_dot(n, BACK_DIRECTION) * 1.5 + 0.2) * occlusion
    back *= _power(_strand(tangent, n, shift, BACK_DIRECTION, view), 4)
    white *= 0.13 * (0.4 + strand)
    tinted = tinted * 0.95 + rim * 1.0 + back * 0.6
    rim_white = 0.05 * (rim + 0.6 * back)
    return (
        r + white * 1.05 + tinted * base[0] + rim_white,
        g + white * 0.97 + tinted * base[1] + rim_white,
        b + white * 0.88 + tinted * base[2] + rim_white * 1.05,
    )


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
    b1 = _clamp((dx * y20 - dy * x20) * inverse)
    b2 = min(_clamp((dy * x10 - dx * y10) * inverse), ONE - b1)
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
    n = _unit(n[0], n[1], n[2])
    view = _unit(eye[0] - p[0], eye[1] - p[1], eye[2] - p[2])
    if triangles[t, TWO_SIDED] and _dot(n, view) < 0:
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
        return _skin(n, view, base, texel[3] * table[row, ROUGHNESS], lit)
    if kind == HAIR:
        along = _mix3(vertices, TANGENT, i, j, k, w)
        return _hair(n, _unit(along[0], along[1], along[2]), view, base, texel[0], tint[0], lit)
    if kind == EYE:
        return _eye(n, view, base, lit)
    if kind == WET:
        return _wet(n, view, base, table[row, ROUGHNESS], lit)
    if kind == CLOTH:
        return _cloth(n, view, base, lit)
    return _diffuse(n, base, lit, (0.1, 0.1, 0.1))


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
