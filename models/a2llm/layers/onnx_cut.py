"""A part of an ONNX graph. Apart from `onnx_graph`, which services load: this reads models with a package that their images lack."""

from collections.abc import Collection, Sequence

import onnx

from a2llm.layers.onnx_graph import OnnxGraph


def cut(model: onnx.ModelProto, inputs: Collection[str], outputs: Sequence[str]) -> OnnxGraph:
    """The part of a graph between `inputs` (float32, beside those of the graph's own that it needs) and `outputs`."""
    needed, wanted = list[onnx.NodeProto](), set(outputs)
    for node in reversed(model.graph.node):  # nodes stand in the order of their use
        made = [name for name in node.output if name in wanted and name not in inputs]
        if made:
            needed.append(node)
            wanted.update(_reads(node))
    part = onnx.ModelProto()
    part.CopyFrom(model)
    del part.graph.node[:], part.graph.output[:], part.graph.initializer[:], part.graph.value_info[:]
    part.graph.node.extend(reversed(needed))
    part.graph.initializer.extend(i for i in model.graph.initializer if i.name in wanted)
    number = onnx.TensorProto.FLOAT
    part.graph.input.extend(onnx.helper.make_tensor_value_info(name, number, None) for name in inputs)
    part.graph.output.extend(onnx.helper.make_tensor_value_info(name, number, None) for name in outputs)
    kept = [i for i in part.graph.input if i.name in wanted or i.name in inputs]
    del part.graph.input[:]
    part.graph.input.extend(kept)
    return OnnxGraph(part.SerializeToString())


def _reads(node: onnx.NodeProto) -> set[str]:
    """Names that a node reads, inside its branches too."""
    names = set(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            names |= _reads(inner)
    return names
