"""Surfaces in the light of a small studio: hemisphere ambient, a warm key light, a cool fill, two rims. Compiled by numba.

Skin with a cheap subsurface wrap and two specular lobes, eyes with a softbox reflection, wet mouth, cloth with sheen, hair with two
strand highlights (Kajiya & Kay 1989; Marschner et al. 2003 for the shifted lobes). Specular: GGX in Karis' mobile form (SIGGRAPH 2013
course). All colours are linear; which sample sees which surface is `shading`'s part.
"""

from typing import Any

import numpy as np

from a2llm.avatar.raster import kernel

Real = float | np.floating[Any]  # numba picks the width
Vec = tuple[Real, Real, Real]
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
# A bare literal is float64 to numba and would pull the inner loop up to doubles.
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
TINY = np.float32(1e-20)


@kernel
def clamp(x: Real) -> Real:
    return min(max(x, ZERO), ONE)


@kernel
def dot(a: Vec, b: Vec) -> Real:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@kernel
def unit(x: Real, y: Real, z: Real) -> Vec:
    scale = ONE / np.sqrt(x * x + y * y + z * z + TINY)
    return x * scale, y * scale, z * scale


@kernel
def _half(a: Vec, b: Vec) -> Vec:
    return unit(a[0] + b[0], a[1] + b[1], a[2] + b[2])


@kernel
def _gloss(n: Vec, light: Vec, view: Vec, roughness: Real) -> Real:
    """GGX highlight without the Fresnel factor, already times n.l."""
    h = _half(light, view)
    ndl = max(dot(n, light), 0.0)
    ndh, ldh = max(dot(n, h), 0.0), max(dot(light, h), 0.1)
    a2 = roughness**4
    d = ndh * ndh * (a2 - 1) + 1
    return ndl * a2 / (4 * d * d * ldh * ldh * (roughness + 0.5) + 1e-7)


@kernel
def _wrap(cosine: Real, width: Real) -> Real:
    return max(cosine + width, 0.0) / ((1 + width) * (1 + width))


@kernel
def _strand(tangent: Vec, n: Vec, shift: Real, light: Vec, view: Vec) -> Real:
    """sin(strand, half vector) for a strand tilted by `shift` along the normal."""
    t = unit(tangent[0] + shift * n[0], tangent[1] + shift * n[1], tangent[2] + shift * n[2])
    along = dot(t, _half(light, view))
    return np.sqrt(max(1 - along * along, 0.0))


@kernel
def _power(x: Real, doublings: int) -> Real:
    for _ in range(doublings):
        x *= x
    return x


@kernel
def diffuse(n: Vec, base: Vec, lit: Real, wrap: Vec) -> Vec:
    """Ambient plus the four lights, per channel wrapped around the terminator."""
    key, fill = dot(n, KEY_DIRECTION), dot(n, FILL_DIRECTION)
    rim, back = max(dot(n, RIM_DIRECTION), 0.0), max(dot(n, BACK_DIRECTION), 0.0)
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
def skin_color(n: Vec, view: Vec, base: Vec, roughness: Real, lit: Real) -> Vec:
    r, g, b = diffuse(n, base, lit, (0.34, 0.16, 0.09))
    facing = clamp(dot(n, view))
    fresnel = 0.028 + 0.60 * (1 - facing) ** 5
    gloss = 0.7 * _gloss(n, KEY_DIRECTION, view, roughness) + 0.3 * _gloss(n, KEY_DIRECTION, view, roughness * 0.75)
    key = 0.034 * gloss * lit
    fill = 0.012 * _gloss(n, FILL_DIRECTION, view, roughness)
    edge = fresnel * (0.30 * (0.5 + 0.5 * n[1]) + 0.55 * max(dot(n, RIM_DIRECTION) + 0.35, 0.0))
    return r + key * 1.04 + fill + edge * 0.90, g + key + fill + edge * 0.94, b + key * 0.94 + fill + edge


@kernel
def _softbox(n: Vec, view: Vec) -> Real:
    """Reflection of a rounded square lamp up and to the left of the camera, 0..1."""
    k = 2 * dot(n, view)
    rx, ry, rz = k * n[0] - view[0], k * n[1] - view[1], k * n[2] - view[2]
    if rz <= 0.05:
        return 0.0
    x, y = abs(rx / rz + 0.55), abs(ry / rz - 0.62)
    far = max(x, y) - 0.24
    return clamp(1 - far / 0.10)


@kernel
def eye_color(n: Vec, view: Vec, base: Vec, lit: Real) -> Vec:
    shade = 0.62 + 0.38 * lit
    r, g, b = diffuse(n, base, 0.35 + 0.65 * lit, (0.25, 0.2, 0.18))
    # The upper lid and its lashes darken the top of the ball.
    lid = shade * (1 - 0.42 * clamp(n[1] * 2.2 - 0.05))
    shine = 0.75 * _softbox(n, view) * (0.35 + 0.65 * lit) + 0.02 * _gloss(n, FILL_DIRECTION, view, 0.25)
    return r * lid + shine, g * lid + shine, b * lid + shine


@kernel
def wet_color(n: Vec, view: Vec, base: Vec, roughness: Real, lit: Real) -> Vec:
    inside = 0.30 + 0.45 * lit
    r, g, b = diffuse(n, base, lit, (0.3, 0.2, 0.15))
    shine = 0.05 * (_gloss(n, KEY_DIRECTION, view, roughness) + 0.3 * _gloss(n, FILL_DIRECTION, view, roughness)) * lit
    return r * inside + shine, g * inside + shine, b * inside + shine


@kernel
def cloth_color(n: Vec, view: Vec, base: Vec, lit: Real) -> Vec:
    r, g, b = diffuse(n, base, lit, (0.10, 0.10, 0.10))
    sheen = 0.55 * (1 - clamp(dot(n, view))) ** 3 * (0.4 + 0.6 * clamp(0.5 + 0.5 * n[1]))
    return r + base[0] * sheen, g + base[1] * sheen, b + base[2] * sheen


@kernel
def hair_color(n: Vec, tangent: Vec, view: Vec, base: Vec, strand: Real, occlusion: Real, lit: Real) -> Vec:
    r, g, b = diffuse(n, base, lit, (0.30, 0.30, 0.30))
    shift = 0.10 * (strand - 0.5)
    key_lit = lit * clamp(dot(n, KEY_DIRECTION) * 1.6 + 0.35) * occlusion
    white = _power(_strand(tangent, n, shift - 0.06, KEY_DIRECTION, view), 6) * key_lit
    tinted = _power(_strand(tangent, n, shift + 0.10, KEY_DIRECTION, view), 4) * key_lit
    rim_lit = clamp(dot(n, RIM_DIRECTION) * 1.5 + 0.3) * occlusion
    rim = _power(_strand(tangent, n, shift, RIM_DIRECTION, view), 4) * rim_lit
    back = clamp(dot(n, BACK_DIRECTION) * 1.5 + 0.2) * occlusion
    back *= _power(_strand(tangent, n, shift, BACK_DIRECTION, view), 4)
    white *= 0.13 * (0.4 + strand)
    tinted = tinted * 0.95 + rim * 1.0 + back * 0.6
    rim_white = 0.05 * (rim + 0.6 * back)
    return (
        r + white * 1.05 + tinted * base[0] + rim_white,
        g + white * 0.97 + tinted * base[1] + rim_white,
        b + white * 0.88 + tinted * base[2] + rim_white * 1.05,
    )
