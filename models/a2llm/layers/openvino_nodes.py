"""Nodes of OpenVINO graphs, made from the torch layers they stand for. Knows no model; `openvino_step` runs graphs.

Source of the attention's inputs: OpenVINO's specification of the internal operation PagedAttentionExtension. It is
experimental (its inputs may change with the version: the parity tests tell) and cannot be stored as IR, which is why graphs
are built at every start.
"""
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from collections.abc import Sequence

import numpy as np
import openvino as ov
import openvino.opset15 as ops
from numpy.typing import NDArray
from openvino.op import _PagedAttentionExtension as PagedAttention
from torch import Tensor, nn

Array = NDArray[np.float32]
Node = ov.Node | ov.Output
Affine = tuple[Array, Array | None]  # weight [out, in], bias [out]
Angles = tuple[Node, Node]  # cosines, sines [N, 1, d]
PAGE_SIZE = 32  # positions per page of keys and values: fixed by OpenVINO's CPU plugin
PAGE_TABLES = ("past_lens", "subsequence_begins", "block_indices", "block_indices_begins")  # inputs that say whose pages are whose


def linear(x: Node, layer: Affine, exact: bool = False) -> Node:
    """x W^T + b. Weights are float16, as checkpoints keep them, and are expanded while they are read: half the memory
    traffic, which is what a step's time goes into, and still the same bits for a row in any batch (int8 is not).

    exact: float32 weights, for what is not stored in half precision.
    """
    weight, bias = layer
    product = ops.matmul(x, constant(weight) if exact else _half(weight), False, True)
    return product if bias is None else ops.add(product, constant(bias[None]))


def _half(weight: Array) -> ov.Node:
    expanded = ops.convert(constant(weight.astype(np.float16)), np.float32)
    expanded.get_rt_info()["decompression_0"] = True  # keeps the plugin from expanding them beforehand
    return expanded


def affine(layer: nn.Module) -> Affine:
    """Weight and bias of a linear layer."""
    assert isinstance(layer, nn.Linear)
    return floats(layer.weight), None if layer.bias is None else floats(layer.bias)


def beside(*layers: nn.Linear) -> Affine:
    """Layers whose outputs are added, as one over their joined inputs."""
    weights, biases = zip(*map(affine, layers), strict=True)
    return np.concatenate(weights, 1), np.sum([b for b in biases if b is not None], axis=0)


def floats(tensor: Tensor) -> Array:
    return np.ascontiguousarray(tensor.detach().float().numpy())


def normalise(x: Node, norm: nn.LayerNorm) -> Node:
    """Layer norm over the last dimension."""
    bare = ops.mvn(x, constant(np.array([-1])), True, norm.eps, "inside_sqrt")
    return ops.add(ops.multiply(bare, constant(floats(norm.weight)[None])), constant(floats(norm.bias)[None]))


def embed(table: nn.Embedding, ids: Node) -> Node:
    """ids [N, S] -> [N, S * width]."""
    rows = ops.gather(constant(floats(table.weight)), ids, constant(np.int64(0)))
    return ops.reshape(rows, constant(np.array([0, -1])), True)


def rotary_angles(width: int, theta: float, positions: Node) -> Angles:
    """Cosines and sines [N, 1, d] of `layers.rope`."""
    steps = np.arange(0, width, 2, dtype=np.float32)
    frequencies = np.float32(theta) ** (-steps / np.float32(width))
    one = constant(np.int64(1))
    half = ops.multiply(ops.unsqueeze(ops.convert(positions, np.float32), one), constant(frequencies[None]))
    angles = ops.unsqueeze(ops.concat([half, half], 1), one)
    return ops.cos(angles), ops.sin(angles)


def rotate(x: Node, heads: int, width: int, angles: Angles) -> Node:
    """Rotate packed heads [N, heads * d] by their positions."""
    split = ops.reshape(x, constant(np.array([0, heads, width])), True)
    first, second = ops.split(split, constant(np.int64(-1)), 2).outputs()
    swapped = ops.concat([ops.negative(second), first], -1)
    turned = ops.add(ops.multiply(split, angles[0]), ops.multiply(swapped, angles[1]))
    return ops.reshape(turned, constant(np.array([0, heads * width])), True)


def paged_attention(
    turned: Node, value: Node, heads: tuple[int, int], width: int, memory: Sequence[Node], longest: ov.Node, window: int = 0
) -> ov.Output:
    """Causal attention of N packed tokens over their rows' pages, which take the new keys and values first: [N, H * d].

    turned: rotated queries and keys [N, (H + G) * d] of H and G heads; memory: pages of keys, of values, and the inputs named
    PAGE_TABLES; longest: positions of the longest row; window: how many positions are seen, 0 for all.
    """
    asking, kept = heads
    query, key = split_widths(turned, [asking * width, kept * width])
    options = _attention_options(width, window, longest)
    mixed = PagedAttention([query, key, value, *(_output(node) for node in (*memory, *options))])
    facts = {"num_k_heads": kept, "k_head_size": width, "num_v_heads": kept, "v_head_size": width}
    for name, count in facts.items():  # the CPU plugin reads them here, not from the shapes
        mixed.get_rt_info()[name] = count
    return mixed.output(0)


def _attention_options(width: int, window: int, longest: ov.Node) -> list[ov.Node]:
    """Inputs 9-27 of the operation: softmax scale, sliding window, context length; every other feature is off."""
    none, none_f, zero = constant(np.zeros(0, np.int32)), constant(np.zeros(0, np.float32)), constant(np.int32(0))
    sinks, bias = constant(np.zeros((0, 0, 0, 0), np.float32)), constant(np.zeros(0, np.uint8))
    reach = [constant(np.float32(width**-0.5)), constant(np.int32(window)), none_f, longest]  # no alibi slopes
    rotation = [none, none, none, none_f]  # score window; cache rotation: blocks, deltas, table
    sparse = [none_f, zero, zero, sinks]  # sparse attention: threshold, block, stride; sinks
    eviction = [zero, none, none, none]  # start, sizes, sets, set begins
    return [*reach, *rotation, *sparse, *eviction, none, bias, none]  # token types; query-to-query bias, its begins


def columns(x: Node, count: int) -> list[ov.Output]:
    """Equal parts of [N, count * W]."""
    return ops.split(x, constant(np.int64(1)), count).outputs()


def split_widths(x: Node, widths: list[int]) -> list[ov.Output]:
    """Parts of the given widths."""
    return ops.variadic_split(x, constant(np.int64(-1)), constant(np.array(widths))).outputs()


def last_column(x: Node) -> Node:
    """Takes the last column [N, 1] of x [N, W]."""
    return ops.gather(x, constant(np.array([-1])), constant(np.int64(1)))


def parameter(name: str, kind: type[np.generic], shape: list[int]) -> ov.Node:
    node = ops.parameter(shape, kind, name)
    node.output(0).set_names({name})
    return node


def named_model(name: str, outputs: dict[str, Node], inputs: list[ov.Node]) -> ov.Model:
    results = []
    for key, node in outputs.items():
        _output(node).set_names({key})
        results.append(ops.result(node))
    return ov.Model(results, inputs, name)


def _output(node: Node) -> ov.Output:
    return node if isinstance(node, ov.Output) else node.output(0)


def constant(value: np.generic | NDArray[np.generic], shared: bool = False) -> ov.Node:
    """shared: the node works on the array itself, which it keeps alive, instead of a copy."""
    return ops.constant(np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value), shared_memory=shared)
