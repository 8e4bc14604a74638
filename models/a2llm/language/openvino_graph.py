"""The backbone as two OpenVINO graphs with int8 weights: the body (ids -> hidden states) and the head (-> logits).

Built node by node from the weights, not traced: the same weights always give the same graph, in a fraction of a second.
Tokens of all rows are packed into one axis N, and attention reads a paged KV cache that the caller owns, so rows of
any length mix freely and padding costs nothing. Not a runtime: `openvino_backbone` compiles and steps it.
Shapes: N packed tokens, R rows that take part, D hidden, H query heads, G key/value heads, d head_dim.
Source of the attention inputs: OpenVINO's specification of the internal operation PagedAttentionExtension. It is
experimental (its inputs may change with the version: the parity tests tell) and cannot be stored as IR, which is why
graphs are built at every start.
"""
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

import numpy as np
import openvino as ov
import openvino.opset15 as ops
from numpy.typing import NDArray
from openvino.op import _PagedAttentionExtension as PagedAttention

from a2llm.language.config import LlamaConfig
from a2llm.language.int8_weights import Floats, Int8Weights, Matrix

ROW_INPUTS = ("past_lens", "subsequence_begins", "block_indices", "block_indices_begins")
Angles = tuple[ov.Node, ov.Node]  # cosines, sines [N, 1, d]


def head_graph(weights: Int8Weights) -> ov.Model:
    """hidden [N, D] -> logits [N, V]."""
    hidden = _input("hidden", np.float32, [-1, weights.config.hidden_size])
    return ov.Model([_output("logits", _linear(hidden, weights.head))], [hidden], "backbone_head")


def body_graph(weights: Int8Weights) -> ov.Model:
    """ids [N], positions [N], the row tables and the paged cache -> hidden [N, D]; the cache is written in place."""
    config = weights.config
    ids, positions = _input("ids", np.int64, [-1]), _input("positions", np.int64, [-1])
    rows = [_input(name, np.int32, [-1]) for name in ROW_INPUTS]
    longest = _input("max_context_len", np.int32, [])
    pages = [_pages(config, layer) for layer in range(config.num_layers)]
    x, angles = _embed(ids, weights.matrix("embed_tokens")), _angles(config, positions)
    for layer, memory in enumerate(pages):
        x = _block(weights, f"layers.{layer}", x, angles, [*memory, *rows], longest)
    hidden = _rms(x, weights.vector("norm"), config.norm_eps)
    inputs = [ids, positions, *rows, longest, *(page for pair in pages for page in pair)]
    return ov.Model([_output("hidden", hidden)], inputs, "backbone_body")


def _block(weights: Int8Weights, at: str, x: ov.Node, angles: Angles, memory: list[ov.Node], longest: ov.Node) -> ov.Node:
    """One pre-norm layer: attention, then SwiGLU. [N, D] -> [N, D]."""
    eps = weights.config.norm_eps
    inner = _rms(x, weights.vector(f"{at}.input_layernorm"), eps)
    x = ops.add(x, _attention(weights, f"{at}.self_attn", inner, angles, memory, longest))
    inner = _rms(x, weights.vector(f"{at}.post_attention_layernorm"), eps)
    gate = ops.swish(_linear(inner, weights.matrix(f"{at}.mlp.gate_proj")))
    inner = ops.multiply(gate, _linear(inner, weights.matrix(f"{at}.mlp.up_proj")))
    return ops.add(x, _linear(inner, weights.matrix(f"{at}.mlp.down_proj")))


def _attention(weights: Int8Weights, at: str, x: ov.Node, angles: Angles, memory: list[ov.Node], longest: ov.Node) -> ov.Node:
    """Causal attention of N packed tokens over their rows' pages, which take the new keys and values first."""
    config = weights.config
    heads, groups, width = config.num_heads, config.num_kv_heads, config.head_dim
    joined = _linear(x, weights.matrix(*(f"{at}.{part}_proj" for part in "qkv")))  # one matmul instead of three
    turned, value = _cut(joined, (heads + groups) * width, groups * width)
    query, key = _cut(_rotate(turned, heads + groups, width, angles), heads * width, groups * width)
    others = [node.output(0) for node in (*memory, *_attention_options(width, longest))]
    mixed = PagedAttention([query, key, value, *others])
    facts = {"num_k_heads": groups, "k_head_size": width, "num_v_heads": groups, "v_head_size": width}
    for name, count in facts.items():  # the CPU plugin reads them here, not from the shapes
        mixed.get_rt_info()[name] = count
    return _linear(mixed.output(0), weights.matrix(f"{at}.o_proj"))


def _attention_options(width: int, longest: ov.Node) -> list[ov.Node]:
    """Inputs 9-27 of the operation: the softmax scale and the context length; every other feature is off."""
    none, none_f, zero = _const(np.zeros(0, np.int32)), _const(np.zeros(0, np.float32)), _const(np.int32(0))
    sinks, bias = _const(np.zeros((0, 0, 0, 0), np.float32)), _const(np.zeros(0, np.uint8))
    scale = _const(np.float32(width**-0.5))
    reach = [scale, zero, none_f, longest]  # scale, sliding window, alibi slopes, longest context
    rotation = [none, none, none, none_f]  # score window; cache rotation: blocks, deltas, table
    sparse = [none_f, zero, zero, sinks]  # sparse attention: threshold, block, stride; sinks
    eviction = [zero, none, none, none]  # start, sizes, sets, set begins
    return [*reach, *rotation, *sparse, *eviction, none, bias, none]  # token types; query-to-query bias, its begins


def _linear(x: ov.Node | ov.Output, weight: Matrix) -> ov.Node:
    """x W^T with int8 weights, in the form that the CPU plugin keeps compressed: i8 -> f32 -> times scale -> matmul."""
    quantized, scale = weight
    expanded = ops.multiply(ops.convert(_const(quantized), np.float32), _const(scale))
    return ops.matmul(x, expanded, False, True)


def _embed(ids: ov.Node, weight: Matrix) -> ov.Node:
    """Rows are gathered before they are expanded: [N] -> [N, D]."""
    quantized, scale = weight
    axis = _const(np.int64(0))
    rows = ops.convert(ops.gather(_const(quantized), ids, axis), np.float32)
    return ops.multiply(rows, ops.gather(_const(scale), ids, axis))


def _rms(x: ov.Node, weight: Floats, eps: float) -> ov.Node:
    """RMS norm, in the form that the plugin fuses into one operation."""
    mean = ops.reduce_mean(ops.power(x, _const(np.float32(2))), _const(np.array([-1])), True)
    inverse = ops.divide(_const(np.float32(1)), ops.sqrt(ops.add(mean, _const(np.float32(eps)))))
    return ops.multiply(ops.multiply(x, inverse), _const(weight))


def _angles(config: LlamaConfig, positions: ov.Node) -> Angles:
    """Cosines and sines of the rotary embedding, half-split layout."""
    steps = np.arange(0, config.head_dim, 2, dtype=np.float32)
    frequencies = np.float32(config.rope_theta) ** (-steps / np.float32(config.head_dim))
    one = _const(np.int64(1))
    half = ops.multiply(ops.unsqueeze(ops.convert(positions, np.float32), one), _const(frequencies[None]))
    angles = ops.unsqueeze(ops.concat([half, half], 1), one)
    return ops.cos(angles), ops.sin(angles)


def _rotate(x: ov.Output, heads: int, width: int, angles: Angles) -> ov.Node:
    """Rotate packed heads [N, heads * d] by their positions."""
    split = ops.reshape(x, _const(np.array([0, heads, width])), True)
    first, second = ops.split(split, _const(np.int64(-1)), 2).outputs()
    swapped = ops.concat([ops.negative(second), first], -1)
    turned = ops.add(ops.multiply(split, angles[0]), ops.multiply(swapped, angles[1]))
    return ops.reshape(turned, _const(np.array([0, heads * width])), True)


def _cut(x: ov.Node, *widths: int) -> list[ov.Output]:
    return ops.variadic_split(x, _const(np.int64(1)), _const(np.array(widths))).outputs()


def _pages(config: LlamaConfig, layer: int) -> tuple[ov.Node, ov.Node]:
    shape = [-1, config.num_kv_heads, -1, config.head_dim]
    return _input(f"key_cache.{layer}", np.float32, shape), _input(f"value_cache.{layer}", np.float32, shape)


def _input(name: str, dtype: type[np.generic], shape: list[int]) -> ov.Node:
    node = ops.parameter(shape, dtype, name=name)
    node.output(0).set_names({name})
    return node


def _output(name: str, node: ov.Node) -> ov.Node:
    node.output(0).set_names({name})
    return ops.result(node)


def _const(value: np.generic | NDArray[np.generic]) -> ov.Node:
    return ops.constant(np.asarray(value), shared_memory=True)  # the node keeps the array alive
