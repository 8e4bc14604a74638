"""The motion codec's decoder, one code frame at a time, as one OpenVINO graph: what streams run on CPU cores.

The reference is `MotionCodec.frames`. Shapes: N rows, K levels, C channels; the past inputs of every convolution go
in and come out, so the state stays the caller's.
"""
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from typing import TYPE_CHECKING, cast

import numpy as np
import openvino as ov
import openvino.opset15 as ops
import torch
from torch import Tensor, nn

from a2llm.layers.causal_conv import CausalConv1d, CausalResidual
from a2llm.layers.openvino_nodes import Node, affine, constant, floats, linear, named_model, normalise, parameter
from a2llm.layers.openvino_step import Step
from a2llm.layers.state import StreamState

if TYPE_CHECKING:
    from a2llm.motion_codec.codec import MotionCodec

NEXT = ".next"  # beside the past inputs `x` goes out `x.next`


class DecoderGraph:
    """Builds the graph of one codec's decoder."""

    def __init__(self, codec: "MotionCodec") -> None:
        self.codec = codec
        self.past: dict[str, ov.Node] = {}
        self._next: dict[str, Node] = {}

    def build(self) -> ov.Model:
        """codes [N, K] and past inputs [N, C, left] -> motion [N, 2 * 61] without limits, and the new past."""
        codes, decoder = parameter("codes", np.int32, [-1, self.codec.config.levels]), self.codec.decoder
        x = self._convolve(decoder.inlet, self._embed(codes), "inlet")
        for place, block in enumerate(cast(list[CausalResidual], list(decoder.blocks))):
            inner = ops.gelu(self._convolve(block.wide, normalise(x, block.norm), f"block{place}"), "erf")
            x = ops.add(x, linear(inner, affine(block.mix), exact=True))
        motion = self._unstandardise(linear(x, affine(decoder.outlet), exact=True))
        return named_model("motion_decoder", {"motion": motion} | self._next, [codes, *self.past.values()])

    def _embed(self, codes: ov.Node) -> Node:
        """Sum of the levels' entries: [N, D]."""
        books = self.codec.quantizer.codebooks
        levels, size, width = books.shape
        places = ops.add(codes, constant(np.arange(levels, dtype=np.int32) * size))
        entries = ops.gather(constant(floats(books).reshape(-1, width)), places, constant(np.int64(0)))
        return ops.reduce_sum(entries, constant(np.int64(1)), False)

    def _convolve(self, layer: CausalConv1d, x: Node, name: str) -> Node:
        """`CausalConv1d.forward` for one step: [N, C_in] -> [N, C_out]."""
        conv, along = layer.conv, constant(np.int64(2))
        past = self.past[name] = parameter(name, np.float32, [-1, conv.in_channels, layer.left])
        window = ops.concat([past, ops.unsqueeze(x, along)], 2)
        self._next[name + NEXT] = ops.gather(window, constant(np.arange(1, layer.left + 1)), along)
        taps = ops.gather(window, constant(np.arange(0, layer.left + 1, conv.dilation[0])), along)
        flat = ops.reshape(taps, constant(np.array([0, -1])), True)
        return linear(flat, (floats(conv.weight.flatten(1)), floats(cast(nn.Parameter, conv.bias))), exact=True)

    def _unstandardise(self, x: Node) -> Node:
        times = self.codec.config.frames_per_code
        scale, mean = (constant(np.tile(floats(v), times)[None]) for v in (self.codec.scale, self.codec.mean))
        return ops.add(ops.multiply(x, scale), mean)


class MotionDecoder:
    """codes [B, K] -> motion [B, 2, 61] without limits; a StreamState with the buffers of `MotionCodec` moves on."""

    def __init__(self, codec: "MotionCodec", threads: int) -> None:
        graph = DecoderGraph(codec)
        self._step = Step(graph.build(), threads)
        self._coefficients = codec.config.coefficients
        self._shapes = {name: tuple(node.get_partial_shape()[i].get_length() for i in (1, 2)) for name, node in graph.past.items()}

    def __call__(self, codes: Tensor, state: StreamState) -> Tensor:
        past = {name: state.buffers.get(name, torch.zeros(len(codes), *shape)).numpy() for name, shape in self._shapes.items()}
        self._step.run({"codes": codes.numpy()} | past)
        for name in self._shapes:
            state.buffers[name] = torch.from_numpy(self._step.result(name + NEXT).copy())
        return torch.from_numpy(self._step.result("motion").copy()).view(len(codes), -1, self._coefficients)
