"""The backbone as two OpenVINO graphs with int8 weights: the body (ids -> hidden states) and the head (-> logits).

Built node by node from the weights, not traced: the same weights always give the same graph, in a fraction of a second.
Tokens of all rows are packed into one axis N, and attention reads a paged KV cache that the caller owns, so rows of
any length mix freely and padding costs nothing. Not a runtime: `openvino_backbone` compiles and steps it.
Shapes: N packed tokens, R rows that take part, K depths, D hidden, H query heads, G key/value heads, d head_dim.
"""
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

import numpy as np
import openvino as ov
import openvino.opset15 as ops

from a2llm.language.config import LlamaConfig
from a2llm.language.int8_weights import Floats, Int8Weights, Matrix
from a2llm.layers.openvino_nodes import (
    PAGE_TABLES,
    Angles,
    Node,
    constant,
    named_model,
    paged_attention,
    parameter,
    rotary_angles,
    rotate,
    split_widths,
)


def head_graph(weights: Int8Weights) -> ov.Model:
    """hidden [N, D] -> logits [N, V]."""
    hidden = parameter("hidden", np.float32, [-1, weights.config.hidden_size])
    return named_model("backbone_head", {"logits": _linear(hidden, weights.head)}, [hidden])


def body_graph(weights: Int8Weights, depths: tuple[int, ...]) -> ov.Model:
    """ids [N], positions [N], the row tables and the paged cache -> states [N, K * D]; the cache is written in place.

    depths: numbers of layers behind which a state is taken; the last one's stands after the final norm.
    """
    config = weights.config
    ids, positions = parameter("ids", np.int64, [-1]), parameter("positions", np.int64, [-1])
    rows = [parameter(name, np.int32, [-1]) for name in PAGE_TABLES]
    longest = parameter("max_context_len", np.int32, [])
    pages = [_pages(config, layer) for layer in range(config.num_layers)]
    x, angles = _embed(ids, weights.matrix("embed_tokens")), rotary_angles(config.head_dim, config.rope_theta, positions)
    states = list[Node]()
    for layer, memory in enumerate(pages):
        x = _block(weights, f"layers.{layer}", x, angles, [*memory, *rows], longest)
        if layer + 1 in depths[:-1]:
            states.append(x)
    states.append(_rms(x, weights.vector("norm"), config.norm_eps))
    joined = ops.concat(states, -1) if len(states) > 1 else states[0]
    inputs = [ids, positions, *rows, longest, *(page for pair in pages for page in pair)]
    return named_model("backbone_body", {"states": joined}, inputs)


def _block(weights: Int8Weights, at: str, x: Node, angles: Angles, memory: list[ov.Node], longest: ov.Node) -> Node:
    """One pre-norm layer: attention, then SwiGLU. [N, D] -> [N, D]."""
    eps = weights.config.norm_eps
    inner = _rms(x, weights.vector(f"{at}.input_layernorm"), eps)
    x = ops.add(x, _attention(weights, f"{at}.self_attn", inner, angles, memory, longest))
    inner = _rms(x, weights.vector(f"{at}.post_attention_layernorm"), eps)
    gate = ops.swish(_linear(inner, weights.matrix(f"{at}.mlp.gate_proj")))
    inner = ops.multiply(gate, _linear(inner, weights.matrix(f"{at}.mlp.up_proj")))
    return ops.add(x, _linear(inner, weights.matrix(f"{at}.mlp.down_proj")))


def _attention(weights: Int8Weights, at: str, x: Node, angles: Angles, memory: list[ov.Node], longest: ov.Node) -> Node:
    config = weights.config
    heads, groups, width = config.num_heads, config.num_kv_heads, config.head_dim
    joined = _linear(x, weights.matrix(*(f"{at}.{part}_proj" for part in "qkv")))  # one matmul instead of three
    turned, value = split_widths(joined, [(heads + groups) * width, groups * width])
    turned = rotate(turned, heads + groups, width, angles)
    return _linear(paged_attention(turned, value, (heads, groups), width, memory, longest), weights.matrix(f"{at}.o_proj"))


def _linear(x: Node, weight: Matrix) -> Node:
    """x W^T with int8 weights, in the form that the CPU plugin keeps compressed: i8 -> f32 -> times scale -> matmul."""
    quantized, scale = weight
    expanded = ops.multiply(ops.convert(constant(quantized, shared=True), np.float32), constant(scale, shared=True))
    return ops.matmul(x, expanded, False, True)


def _embed(ids: Node, weight: Matrix) -> Node:
    """Rows are gathered before they are expanded: [N] -> [N, D]."""
    quantized, scale = weight
    axis = constant(np.int64(0))
    rows = ops.convert(ops.gather(constant(quantized, shared=True), ids, axis), np.float32)
    return ops.multiply(rows, ops.gather(constant(scale, shared=True), ids, axis))


def _rms(x: Node, weight: Floats, eps: float) -> Node:
    """RMS norm, in the form that the plugin fuses into one operation."""
    mean = ops.reduce_mean(ops.power(x, constant(np.float32(2))), constant(np.array([-1])), True)
    inverse = ops.divide(constant(np.float32(1)), ops.sqrt(ops.add(mean, constant(np.float32(eps)))))
    return ops.multiply(ops.multiply(x, inverse), constant(weight))


def _pages(config: LlamaConfig, layer: int) -> tuple[ov.Node, ov.Node]:
    shape = [-1, config.num_kv_heads, -1, config.head_dim]
    return parameter(f"key_cache.{layer}", np.float32, shape), parameter(f"value_cache.{layer}", np.float32, shape)
