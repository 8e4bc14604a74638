"""Latents -> voice frames, one audio frame at a time, as one OpenVINO graph: what streams run on CPU cores.

The reference is `AudioCodec.synthesise`. N rows, D latent.
"""
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from typing import TYPE_CHECKING

import numpy as np
import openvino as ov
import openvino.opset15 as ops
import torch
from torch import Tensor

from a2llm.audio_codec.frames import F0_CENTRE, F0_SCALE, VOICING_SCALE, VoiceFrames
from a2llm.layers.openvino_nodes import Node, constant, floats, linear, named_model, parameter, split_widths
from a2llm.layers.openvino_step import Step

if TYPE_CHECKING:
    from a2llm.audio_codec.codec import AudioCodec


def decoder_graph(codec: "AudioCodec") -> ov.Model:
    """latents [N, D] -> hidden [N, 4, 256] and f0_hz [N, 4]."""
    c = codec.config
    latents = parameter("latents", np.float32, [-1, c.latent])
    scaled = ops.multiply(latents, constant(floats(codec.latent_scale)))
    hidden, extra = split_widths(linear(scaled, (floats(codec.basis), floats(codec.mean))), [c.stack * c.width, c.stack * 2])
    hidden = linear(_rows(hidden, c.stack, c.width), (floats(codec.inverse_metric.t()), None))
    outputs = {"hidden": ops.multiply(hidden, constant(floats(codec.scale))), "f0_hz": _pitch(_rows(extra, c.stack, 2))}
    return named_model("voice_decoder", outputs, [latents])


def _rows(x: Node, stack: int, width: int) -> Node:
    return ops.reshape(x, constant(np.array([0, stack, width])), True)


def _pitch(extra: Node) -> Node:
    """Pitch and voicing [N, 4, 2] -> Hz [N, 4], 0 where unvoiced."""
    pitch, voicing = (ops.squeeze(part, constant(np.int64(2))) for part in split_widths(extra, [1, 1]))
    hertz = ops.exp(ops.add(ops.multiply(pitch, constant(np.float32(1 / F0_SCALE))), constant(np.float32(F0_CENTRE))))
    return ops.select(ops.greater(voicing, constant(np.float32(VOICING_SCALE / 2))), hertz, constant(np.float32(0)))


class VoiceDecoder:
    """latents [B, D] -> voice frames of one audio frame."""

    def __init__(self, codec: "AudioCodec", threads: int) -> None:
        self._step = Step(decoder_graph(codec), threads)

    def __call__(self, latents: Tensor) -> VoiceFrames:
        self._step.run({"latents": latents.numpy()})
        return VoiceFrames(*(torch.from_numpy(self._step.result(name).copy()) for name in ("hidden", "f0_hz")))
