"""Latents -> voice frames -> what their spectra are made of, as OpenVINO graphs: what streams run on CPU cores.

The reference of the first is `AudioCodec.synthesise`. A row's results do not depend on who shares its batch. N rows,
D latent or width of a voice frame, F frequencies.
"""
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import openvino as ov
import openvino.opset15 as ops
import torch
from torch import Tensor

from a2llm.audio_codec.frames import F0_SCALE, VOICING_SCALE, VoiceFrames
from a2llm.layers.openvino_nodes import Node, constant, floats, linear, named_model, parameter, split_widths
from a2llm.layers.openvino_step import Step

MAX_LOG_MAGNITUDE = 7.0

if TYPE_CHECKING:
    from a2llm.audio_codec.codec import AudioCodec


def decoder_graph(codec: "AudioCodec") -> ov.Model:
    """latents [N, D], voice [N] -> hidden [N, 4, 256] and f0_hz [N, 4]."""
    c = codec.config
    latents, voice = parameter("latents", np.float32, [-1, c.latent]), parameter("voice", np.int64, [-1])
    scaled = ops.multiply(latents, constant(floats(codec.latent_scale)))
    hidden, extra = split_widths(linear(scaled, (floats(codec.basis), floats(codec.mean))), [c.stack * c.width, c.stack * 2])
    hidden = ops.add(_rows(hidden, c.stack, c.width), _of_voice(codec.voice_mean[:, None], voice))
    hidden = linear(hidden, (floats(codec.inverse_metric.t()), None))
    pitch = _pitch(_rows(extra, c.stack, 2), _of_voice(codec.voice_pitch[:, None], voice))
    return named_model("voice_decoder", {"hidden": ops.multiply(hidden, constant(floats(codec.scale))), "f0_hz": pitch}, [latents, voice])


def _of_voice(table: Tensor, voice: Node) -> Node:
    return ops.gather(constant(floats(table)), voice, constant(np.int64(0)))


def _rows(x: Node, stack: int, width: int) -> Node:
    return ops.reshape(x, constant(np.array([0, stack, width])), True)


def _pitch(extra: Node, centre: Node) -> Node:
    """Pitch and voicing [N, 4, 2] about a centre [N, 1] -> Hz [N, 4], 0 where unvoiced."""
    pitch, voicing = (ops.squeeze(part, constant(np.int64(2))) for part in split_widths(extra, [1, 1]))
    hertz = ops.exp(ops.add(ops.multiply(pitch, constant(np.float32(1 / F0_SCALE))), centre))
    return ops.select(ops.greater(voicing, constant(np.float32(VOICING_SCALE / 2))), hertz, constant(np.float32(0)))


class VoiceDecoder:
    """latents [B, D] and voices [B] -> voice frames of one audio frame."""

    def __init__(self, codec: "AudioCodec", threads: int) -> None:
        self._step = Step(decoder_graph(codec), threads)

    def __call__(self, latents: Tensor, voices: Tensor) -> VoiceFrames:
        self._step.run({"latents": latents.numpy(), "voice": voices.numpy()})
        return VoiceFrames(*(torch.from_numpy(self._step.result(name).copy()) for name in ("hidden", "f0_hz")))


@dataclass(frozen=True)
class Spectral:
    """Spectra of N voice frames: filter of the pulses [N, F] complex, size of the noise [N, F], free part [N, F] complex."""

    gain: np.ndarray
    noise: np.ndarray
    free: np.ndarray


class SpectralHead:
    """Voice frames [N, D] -> Spectral; weight [D, 5 * F], bias [5 * F]: log gain, turn, log noise, log size and phase of the free part."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray, threads: int) -> None:
        self._step = Step(_spectral_graph(weight.astype(np.float32), bias.astype(np.float32)), threads)

    def __call__(self, hidden: np.ndarray) -> Spectral:
        self._step.run({"hidden": hidden})
        part = self._step.result
        return Spectral(_complex(part("gain.re"), part("gain.im")), part("noise").copy(), _complex(part("free.re"), part("free.im")))


def _complex(real: np.ndarray, imaginary: np.ndarray) -> np.ndarray:
    out = np.empty(real.shape, np.complex64)
    out.real, out.imag = real, imaginary
    return out


def _spectral_graph(weight: np.ndarray, bias: np.ndarray) -> ov.Model:
    """hidden [N, D] -> the parts of Spectral, real and imaginary apart."""
    hidden = parameter("hidden", np.float32, [-1, weight.shape[0]])
    heads = linear(hidden, (np.ascontiguousarray(weight.T), bias), exact=True)
    gain, turn, noise, free, phase = split_widths(heads, [weight.shape[1] // 5] * 5)
    turned = ops.multiply(ops.tanh(turn), constant(np.float32(np.pi)))
    outputs: dict[str, Node] = {"noise": _magnitude(noise)}
    for name, log, angle in (("gain", gain, turned), ("free", free, phase)):
        size = _magnitude(log)
        outputs |= {f"{name}.re": ops.multiply(size, ops.cos(angle)), f"{name}.im": ops.multiply(size, ops.sin(angle))}
    return named_model("spectral_head", outputs, [hidden])


def _magnitude(log: Node) -> Node:
    return ops.exp(ops.minimum(log, constant(np.float32(MAX_LOG_MAGNITUDE))))
