"""The talker's step as OpenVINO graphs, built node by node from a torch Talker.

One graph speaks a whole frame: conditioning, trunk, every level of both depth heads with sampling inside. A second
one is the duration head. Attention reads paged keys and values that the caller owns (the window is a ring of pages),
so rows at any position mix in one batch and nothing is copied. Norms are folded into the layers behind them.
Not a runtime: `openvino_talker` compiles and steps it. Shapes: N rows that take part, D latent, V codes of a level.
"""
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from dataclasses import dataclass

import numpy as np
import openvino as ov
import openvino.opset15 as ops
from numpy.typing import NDArray
from openvino.op import _PagedAttentionExtension as PagedAttention
from torch import Tensor, nn

from a2llm.talker.config import COUNT_SLOTS, DURATION_AFTER, DURATION_BEFORE, DURATION_HISTORY, PHONE_SLOTS
from a2llm.talker.depth import DepthHead
from a2llm.talker.durations import DurationHead
from a2llm.talker.model import Talker
from a2llm.talker.sampling import BELOW_ONE
from a2llm.talker.trunk import ROPE_THETA, TrunkLayer

PAGE_FRAMES = 32  # frames per page of keys and values: fixed by OpenVINO's CPU plugin
PAGE_TABLES = ("past_lens", "subsequence_begins", "block_indices", "block_indices_begins")
Array = NDArray[np.float32]
Node = ov.Node | ov.Output
Affine = tuple[Array, Array | None]  # weight [out, in], bias [out]


@dataclass(frozen=True)
class Sampler:
    """Nodes that steer sampling: uniforms [N, K], inverse temperatures [1, K], log of min_p []."""

    uniforms: list[ov.Output]
    sharpness: list[ov.Output]
    cut: Node

    def draw(self, logits: Node, level: int) -> Node:
        """Codes [N] int32 from logits [N, V]: what `talker.sampling.sample_codes` computes."""
        peak = ops.reduce_max(logits, _const(np.int64(-1)), True)
        scaled = ops.multiply(ops.subtract(logits, peak), self.sharpness[level])
        kept = ops.convert(ops.greater_equal(scaled, self.cut), np.float32)
        reach = ops.cum_sum(ops.multiply(ops.exp(scaled), kept), _const(np.int64(-1)))
        target = ops.multiply(_last(reach), self.uniforms[level])
        passed = ops.convert(ops.less_equal(reach, target), np.float32)
        return ops.convert(ops.reduce_sum(passed, _const(np.int64(-1)), False), np.int32)


@dataclass(frozen=True)
class TalkerGraphs:
    """Builds the graphs of one talker, in float32: with it every row's result is the same bits in any batch."""

    talker: Talker

    def step(self, audio_levels: int) -> ov.Model:
        """Inputs of FrameBatch, the last latents, uniforms and page tables -> codes and latents of the frame."""
        c = self.talker.config
        phones, counts = _input("phones", np.int32, [-1, PHONE_SLOTS]), _input("counts", np.int32, [-1, COUNT_SLOTS])
        hidden, affect = _input("hidden", np.float32, [-1, c.hidden_size]), _input("affect", np.float32, [-1, c.affects])
        audio, motion = (_input(n, np.float32, [-1, w]) for n, w in (("audio", c.audio_latent), ("motion", c.motion_latent)))
        positions, longest = _input("positions", np.int32, [-1]), _input("max_context_len", np.int32, [])
        levels = c.audio_levels + c.motion_levels
        uniforms, sharpness = _input("uniforms", np.float32, [-1, levels]), _input("sharpness", np.float32, [1, levels])
        cut = _input("cut", np.float32, [])
        tables = [_input(name, np.int32, [-1]) for name in PAGE_TABLES]
        shape = [-1, c.heads, PAGE_FRAMES, c.head_dim]
        pages = [(_input(f"keys.{i}", np.float32, shape), _input(f"values.{i}", np.float32, shape)) for i in range(c.layers)]
        x = self._condition(phones, counts, hidden, affect, ops.concat([audio, motion], 1))
        angles = _angles(c.head_dim, positions)
        for layer, memory in zip(self.talker.trunk.layers, pages, strict=True):
            x = self._layer(layer, x, angles, [*memory, *tables], longest)
        x = _normal(x, self.talker.trunk.norm)
        draws = ops.multiply(uniforms, _const(np.float32(BELOW_ONE)))
        sampler = Sampler(_columns(draws, levels), _columns(sharpness, levels), cut)
        norm, books = self.talker.trunk.norm, self.talker
        codes, latent = self._depth(self.talker.audio_head, x, norm, books.audio_codebooks, sampler, 0, audio_levels)
        context = ops.concat([x, latent], 1)
        moves, place = self._depth(self.talker.motion_head, context, norm, books.motion_codebooks, sampler, c.audio_levels, c.motion_levels)
        outputs = {"audio_codes": codes, "audio_latent": latent, "motion_codes": moves, "motion_latent": place}
        inputs = [phones, counts, hidden, affect, audio, motion, positions, uniforms, sharpness, cut, *tables, longest]
        return _model("talker_step", outputs, [*inputs, *(page for pair in pages for page in pair)])

    def durations(self) -> ov.Model:
        """phones [N, 11], past [N, 4], affect [N, 5], hidden [N, D] -> logits [N, 24]."""
        c, head = self.talker.config, self.talker.durations
        context = DURATION_BEFORE + 1 + DURATION_AFTER
        phones, past = _input("phones", np.int32, [-1, context]), _input("past", np.int32, [-1, DURATION_HISTORY])
        hidden, affect = _input("hidden", np.float32, [-1, c.hidden_size]), _input("affect", np.float32, [-1, c.affects])
        near = ops.concat([_embed(head.phone, phones), _embed(head.past, past), affect], 1)
        x = ops.add(_linear(near, _beside(head.first, head.affect)), self._meaning(head, hidden))
        x = ops.gelu(x, "tanh")
        x = ops.add(x, ops.gelu(_linear(x, _affine(head.second)), "tanh"))
        return _model("talker_durations", {"logits": _linear(x, _affine(head.out))}, [phones, past, affect, hidden])

    def _condition(self, phones: Node, counts: Node, hidden: Node, affect: Node, last: Node) -> Node:
        """`Talker.condition`: [N, width]."""
        t = self.talker
        counts = ops.add(counts, _const(t.count_offset.numpy().astype(np.int32)))
        near = ops.concat([_embed(t.phone, phones), _embed(t.count, counts), affect], 1)
        x = _linear(near, _beside(t.text, t.affect))
        gated = ops.multiply(ops.sigmoid(_linear(x, _affine(t.gate))), self._meaning(t, hidden))
        return ops.add(ops.add(x, gated), _linear(last, _beside(t.last_audio, t.last_motion)))

    def _meaning(self, module: Talker | DurationHead, hidden: Node) -> Node:
        """The projected hidden state, nothing where there is none."""
        spoken = ops.greater(ops.reduce_max(ops.abs(hidden), _const(np.int64(-1)), True), _const(np.float32(0)))
        projected = _linear(_normal(hidden, module.hidden_norm), _behind_norm(module.hidden_norm, module.hidden))
        return ops.multiply(projected, ops.convert(spoken, np.float32))

    def _layer(self, layer: TrunkLayer, x: Node, angles: tuple[Node, Node], memory: list[ov.Node], longest: ov.Node) -> Node:
        """Pre-norm attention over the paged window, then the feed-forward."""
        inner = _normal(x, layer.norm_attention)
        joined = _linear(inner, _behind_norm(layer.norm_attention, layer.qkv))
        x = ops.add(x, _linear(self._attention(joined, angles, memory, longest), _affine(layer.out)))
        inner = ops.gelu(_linear(_normal(x, layer.norm_feed), _behind_norm(layer.norm_feed, layer.up)), "tanh")
        return ops.add(x, _linear(inner, _affine(layer.down)))

    def _attention(self, joined: Node, angles: tuple[Node, Node], memory: list[ov.Node], longest: ov.Node) -> Node:
        c = self.talker.config
        turned, value = _cut(joined, [2 * c.width, c.width])
        query, key = _cut(_rotate(turned, 2 * c.heads, c.head_dim, angles), [c.width, c.width])
        options = _attention_options(c.head_dim, c.window, longest)
        mixed = PagedAttention([query, key, value, *(node.output(0) for node in (*memory, *options))])
        facts = {"num_k_heads": c.heads, "k_head_size": c.head_dim, "num_v_heads": c.heads, "v_head_size": c.head_dim}
        for name, count in facts.items():  # the CPU plugin reads them here, not from the shapes
            mixed.get_rt_info()[name] = count
        return mixed.output(0)

    def _depth(self, head: DepthHead, context: Node, norm: nn.LayerNorm, codebooks: Tensor, sampler: Sampler, first: int,
               levels: int) -> tuple[Node, Node]:
        """`DepthHead.sample`: codes [N, levels] and latent [N, D]. The context's leading columns are a bare norm."""
        stages = len(head.inner)
        contexts = _columns(_linear(context, _behind_norm(norm, head.from_context)), stages)
        books = codebooks.numpy()
        latent: Node | None = None
        codes = []
        for level in range(levels):
            code = sampler.draw(_linear(self._stage(head, level, contexts[level], latent), _affine(head.logits[level])), first + level)
            vector = ops.gather(_const(books[level]), code, _const(np.int64(0)))
            latent = vector if latent is None else ops.add(latent, vector)
            codes.append(ops.unsqueeze(code, _const(np.int64(1))))
        assert latent is not None
        if head.residual:
            rest = _linear(self._stage(head, levels, contexts[levels], latent), _affine(head.remains[levels]))
            latent = ops.add(latent, rest)
        return ops.concat(codes, 1), latent

    def _stage(self, head: DepthHead, level: int, context: Node, latent: Node | None) -> Node:
        if latent is not None:
            context = ops.add(_linear(latent, _affine(head.from_latent[level])), context)
        hidden = ops.gelu(context, "tanh")
        return ops.add(ops.gelu(_linear(hidden, _affine(head.inner[level])), "tanh"), hidden)


def _linear(x: Node, layer: Affine) -> Node:
    """x W^T + b."""
    weight, bias = layer
    product = ops.matmul(x, _const(weight), False, True)
    return product if bias is None else ops.add(product, _const(bias[None]))


def _affine(layer: nn.Module) -> Affine:
    assert isinstance(layer, nn.Linear)
    return _array(layer.weight), None if layer.bias is None else _array(layer.bias)


def _beside(*layers: nn.Linear) -> Affine:
    """Layers whose outputs are added, as one over their joined inputs."""
    weights, biases = zip(*map(_affine, layers), strict=True)
    return np.concatenate(weights, 1), sum(b for b in biases if b is not None)


def _behind_norm(norm: nn.LayerNorm, layer: nn.Linear) -> Affine:
    """A layer that takes the norm's gain and shift over, for its leading columns."""
    weight, bias = _affine(layer)
    weight, size = weight.copy(), norm.normalized_shape[0]
    shift = weight[:, :size] @ _array(norm.bias)
    weight[:, :size] *= _array(norm.weight)
    return weight, shift if bias is None else bias + shift


def _array(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().float().numpy())


def _normal(x: Node, norm: nn.LayerNorm) -> Node:
    """Zero mean, unit variance; gain and shift are in the layer behind."""
    return ops.mvn(x, _const(np.array([-1])), True, norm.eps, "inside_sqrt")


def _embed(table: nn.Embedding, ids: Node) -> Node:
    """ids [N, S] -> [N, S * width]."""
    rows = ops.gather(_const(_array(table.weight)), ids, _const(np.int64(0)))
    return ops.reshape(rows, _const(np.array([0, -1])), True)


def _angles(width: int, positions: Node) -> tuple[Node, Node]:
    """Cosines and sines [N, 1, d] of `layers.rope`."""
    steps = np.arange(0, width, 2, dtype=np.float32)
    frequencies = np.float32(ROPE_THETA) ** (-steps / np.float32(width))
    one = _const(np.int64(1))
    half = ops.multiply(ops.unsqueeze(ops.convert(positions, np.float32), one), _const(frequencies[None]))
    angles = ops.unsqueeze(ops.concat([half, half], 1), one)
    return ops.cos(angles), ops.sin(angles)


def _rotate(x: Node, heads: int, width: int, angles: tuple[Node, Node]) -> Node:
    """Rotate packed heads [N, heads * d] by their positions."""
    split = ops.reshape(x, _const(np.array([0, heads, width])), True)
    first, second = ops.split(split, _const(np.int64(-1)), 2).outputs()
    swapped = ops.concat([ops.negative(second), first], -1)
    turned = ops.add(ops.multiply(split, angles[0]), ops.multiply(swapped, angles[1]))
    return ops.reshape(turned, _const(np.array([0, heads * width])), True)


def _attention_options(width: int, window: int, longest: ov.Node) -> list[ov.Node]:
    """Inputs 9-27 of the operation: softmax scale, sliding window, context length; every other feature is off."""
    none, none_f, zero = _const(np.zeros(0, np.int32)), _const(np.zeros(0, np.float32)), _const(np.int32(0))
    sinks, bias = _const(np.zeros((0, 0, 0, 0), np.float32)), _const(np.zeros(0, np.uint8))
    reach = [_const(np.float32(width**-0.5)), _const(np.int32(window)), none_f, longest]
    rotation, sparse, eviction = [none, none, none, none_f], [none_f, zero, zero, sinks], [zero, none, none, none]
    return [*reach, *rotation, *sparse, *eviction, none, bias, none]


def _columns(x: Node, count: int) -> list[ov.Output]:
    return ops.split(x, _const(np.int64(1)), count).outputs()


def _cut(x: Node, widths: list[int]) -> list[ov.Output]:
    return ops.variadic_split(x, _const(np.int64(-1)), _const(np.array(widths))).outputs()


def _last(x: Node) -> Node:
    """Last column [N, 1]."""
    return ops.gather(x, _const(np.array([-1])), _const(np.int64(1)))


def _input(name: str, kind: type[np.generic], shape: list[int]) -> ov.Node:
    node = ops.parameter(shape, kind, name)
    node.output(0).set_names({name})
    return node


def _model(name: str, outputs: dict[str, Node], inputs: list[ov.Node]) -> ov.Model:
    results = []
    for key, node in outputs.items():
        (node if isinstance(node, ov.Output) else node.output(0)).set_names({key})
        results.append(ops.result(node))
    return ov.Model(results, inputs, name)


def _const(value: np.generic | NDArray[np.generic]) -> ov.Node:
    return ops.constant(np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value))
