"""Layers against the arithmetic that they stand for: causality, streaming, norms, rotation; and one OpenVINO node for each of them."""

import math

import numpy as np
import onnx
import openvino as ov
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from a2llm.layers import openvino_nodes as nodes
from a2llm.layers.causal_conv import CausalConv1d, CausalResidual
from a2llm.layers.norm import RMSNorm
from a2llm.layers.onnx_graph import OnnxGraph
from a2llm.layers.openvino_step import Step, shared_core
from a2llm.layers.rope import rope_angles, rotate
from a2llm.layers.state import StreamState


def seeded(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (4, 2, 1), (3, 1, 3), (2, 2, 1)])
def test_a_convolution_sees_the_past_only_and_streams_as_offline(kernel: int, stride: int, dilation: int) -> None:
    torch.manual_seed(0)
    conv, x = CausalConv1d(2, 3, kernel, stride, dilation), seeded(1, 2, 12)
    whole = conv(x)
    assert whole.shape == (1, 3, 12 // stride)
    changed = x.clone()
    changed[..., 8:] += 1
    assert torch.allclose(conv(changed)[..., : 8 // stride], whole[..., : 8 // stride])
    assert not torch.allclose(conv(changed)[..., 8 // stride :], whole[..., 8 // stride :])
    state = StreamState()
    parts = [conv(x[..., a:b], state, "layer") for a, b in ((0, stride), (stride, 8), (8, 12))]
    torch.testing.assert_close(torch.cat(parts, -1), whole)


def test_a_convolution_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="shorter than the stride 4"):
        CausalConv1d(1, 1, kernel=2, stride=4)
    with pytest.raises(ValueError, match="5 steps are not a whole number of strides of 2"):
        CausalConv1d(1, 1, kernel=2, stride=2)(torch.zeros(1, 1, 5))


def test_a_residual_block_streams_as_offline() -> None:
    torch.manual_seed(0)
    block, x, state = CausalResidual(4, dilation=2), seeded(2, 4, 9), StreamState()
    parts = [block(x[..., a:b], state, "r") for a, b in ((0, 1), (1, 6), (6, 9))]
    torch.testing.assert_close(torch.cat(parts, -1), block(x))


def test_rms_norm_divides_by_the_root_of_the_mean_square_in_float32() -> None:
    norm, x = RMSNorm(4, eps=0.0), torch.tensor([[3.0, -4.0, 0.0, 0.0]])
    norm.weight.data = torch.tensor([1.0, 2.0, 1.0, 1.0])
    torch.testing.assert_close(norm(x), torch.tensor([[1.2, -3.2, 0.0, 0.0]]))
    huge = torch.full((1, 4), 60_000.0, dtype=torch.float16)  # its square is no float16
    assert torch.isfinite(RMSNorm(4).half()(huge)).all()


def test_rotation_keeps_lengths_and_knows_distances_only() -> None:
    x, y = seeded(1, 1, 1, 8), seeded(1, 1, 1, 8).flip(-1)

    def turned(vector: torch.Tensor, position: int) -> torch.Tensor:
        return rotate(vector, *rope_angles(torch.tensor([[position]]), 8, 10_000.0))

    assert turned(x, 7).norm().item() == pytest.approx(x.norm().item(), rel=1e-5)
    torch.testing.assert_close(turned(x, 0), x)
    one, other = (turned(x, 3) * turned(y, 1)).sum(), (turned(x, 12) * turned(y, 10)).sum()
    assert one.item() == pytest.approx(other.item(), rel=1e-4)
    quarter = rotate(torch.tensor([[[[1.0, 0.0]]]]), *rope_angles(torch.tensor([[1]]), 2, 10_000.0))
    torch.testing.assert_close(quarter, torch.tensor([[[[math.cos(1), math.sin(1)]]]]))


def test_an_onnx_graph_runs_from_bytes_and_from_a_file(tmp_path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Sub", ["a", "b"], ["difference"])],
        "both",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("a", "b")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("sum", "difference")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(tmp_path / "graph.onnx"))
    inputs = {"a": np.float32([1, 2, 3]), "b": np.float32([10, 20, 30])}
    for made in (OnnxGraph(model.SerializeToString()), OnnxGraph(tmp_path / "graph.onnx")):
        total, difference = made.run(inputs)
        assert (total.tolist(), difference.tolist()) == ([11, 22, 33], [-9, -18, -27])


def run(outputs: dict[str, object], inputs: list[ov.Node], **values: np.ndarray) -> dict[str, np.ndarray]:
    step = Step(nodes.named_model("test", outputs, inputs), threads=1)
    step.run(values)
    return {name: step.result(name).copy() for name in outputs}


def test_nodes_of_layers_do_what_the_layers_do() -> None:
    torch.manual_seed(0)
    layer, norm, table = nn.Linear(6, 4).half().float(), nn.LayerNorm(6), nn.Embedding(5, 3)
    x, ids = nodes.parameter("x", np.float32, [-1, 6]), nodes.parameter("ids", np.int64, [-1, 2])
    given, chosen = seeded(3, 6), torch.tensor([[4, 0], [1, 1], [2, 3]])
    outputs = {
        "linear": nodes.linear(x, nodes.affine(layer)),
        "exact": nodes.linear(x, nodes.affine(layer), exact=True),
        "norm": nodes.normalise(x, norm),
        "embedded": nodes.embed(table, ids),
    }
    made = run(outputs, [x, ids], x=given.numpy(), ids=chosen.numpy())
    wanted = {"linear": layer(given), "exact": layer(given), "norm": norm(given), "embedded": table(chosen).flatten(1)}
    for name, tensor in wanted.items():
        np.testing.assert_allclose(made[name], tensor.detach().numpy(), atol=1e-4, err_msg=name)


def test_layers_beside_each_other_are_one_over_joined_inputs() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(2, 3), nn.Linear(4, 3, bias=False)
    weight, bias = nodes.beside(first, second)
    given = seeded(5, 6)
    joined = given.numpy() @ weight.T + bias
    np.testing.assert_allclose(joined, (first(given[:, :2]) + second(given[:, 2:])).detach().numpy(), atol=1e-5)


def test_the_rotary_nodes_are_the_torch_rotation() -> None:
    heads, width, places = 2, 8, torch.tensor([0, 3, 11])
    x, at = nodes.parameter("x", np.float32, [-1, heads * width]), nodes.parameter("at", np.int64, [-1])
    angles = nodes.rotary_angles(width, 10_000.0, at)
    given = seeded(3, heads * width)
    made = run({"turned": nodes.rotate(x, heads, width, angles)}, [x, at], x=given.numpy(), at=places.numpy())["turned"]
    packed = given.view(3, heads, width).transpose(0, 1)[None]  # [1, H, T, d]
    wanted = rotate(packed, *rope_angles(places[None], width, 10_000.0))[0].transpose(0, 1).reshape(3, -1)
    np.testing.assert_allclose(made, wanted.numpy(), atol=1e-5)


def test_columns_are_split_by_count_by_widths_and_at_the_end() -> None:
    x = nodes.parameter("x", np.float32, [-1, 6])
    first, second = nodes.columns(x, 2)
    narrow, wide = nodes.split_widths(x, [1, 5])
    given = np.arange(12, dtype=np.float32).reshape(2, 6)
    made = run({"a": first, "b": second, "narrow": narrow, "wide": wide, "last": nodes.last_column(x)}, [x], x=given)
    np.testing.assert_array_equal(np.concatenate([made["a"], made["b"]], 1), given)
    np.testing.assert_array_equal(np.concatenate([made["narrow"], made["wide"]], 1), given)
    assert made["narrow"].shape == (2, 1) and made["last"].tolist() == [[5.0], [11.0]]


def test_a_step_keeps_its_input_memory_and_takes_another_batch() -> None:
    x = nodes.parameter("x", np.float32, [-1, 2])
    step = Step(nodes.named_model("double", {"y": nodes.linear(x, (np.eye(2, dtype=np.float32) * 2, None))}, [x]), threads=1)
    for rows in (1, 3, 3, 2):
        given = np.full((rows, 2), rows, np.float32)
        step.run({"x": given})
        np.testing.assert_allclose(step.result("y"), given * 2)
    shared = np.zeros((2, 2), np.float32)
    step.share("x", shared)
    shared[:] = 5.0  # read where it lies, without a copy
    step._request.infer()
    assert step.result("y").tolist() == [[10.0, 10.0]] * 2
    assert shared_core() is shared_core()


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("4,2", 4), ("", 2), (None, 2)])
def test_threads_follow_the_variable_that_other_runtimes_follow(value: str | None, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    from a2llm.layers import threads as module

    with monkeypatch.context() as patch:
        patch.delenv("OMP_NUM_THREADS", raising=False) if value is None else patch.setenv("OMP_NUM_THREADS", value)
        assert threads == importlib.reload(module).THREADS
    importlib.reload(module)
