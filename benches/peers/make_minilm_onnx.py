"""Makes an ONNX graph of all-MiniLM-L6-v2 from its safetensors weights, and checks it against reference vectors.

    python make_minilm_onnx.py MODEL_FOLDER GRAPH.onnx REFERENCE.json

`cargo xtask bench cpu` runs it. The graph is what onnxruntime is given in a comparison: `ids` int64 [1, tokens] in, `embedding` F32
[width] out: the mean over all tokens, made unit length. Layers are written as exporters write them (three projections, erf GELU in
single steps), so that onnxruntime's own fusions find their patterns.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
TOLERANCE = 1e-4


def read_safetensors(path):
    """Eight bytes of header length, a JSON header, then the bytes of all tensors."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] == "F32":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
    return tensors


class Graph:
    """Nodes and constants in the order they are added."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.constants = {}

    def constant(self, name, value):
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def add(self, op, *inputs, **attributes):
        output = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def linear(self, x, name):
        # safetensors has [outputs, inputs]; MatMul wants [inputs, outputs].
        matrix = self.constant(f"{name}.weight.T", self.weights[f"{name}.weight"].T)
        return self.add("Add", self.add("MatMul", x, matrix), self.weight(f"{name}.bias"))

    def layer_norm(self, x, name, epsilon):
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)

    def gelu(self, x):
        """x / 2 * (1 + erf(x / sqrt 2))"""
        erf = self.add("Erf", self.add("Div", x, self.constant("sqrt2", np.float32(np.sqrt(2)))))
        one_more = self.add("Add", erf, self.constant("one", np.float32(1)))
        return self.add("Mul", self.add("Mul", x, one_more), self.constant("half", np.float32(0.5)))


def build(weights, config):
    width, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon = config["layer_norm_eps"]
    graph = Graph(weights)
    split = graph.constant("split", np.array([0, 0, heads, width // heads], np.int64))
    join = graph.constant("join", np.array([0, 0, width], np.int64))
    scale = graph.constant("scale", np.float32(np.sqrt(width / heads)))

    tokens = graph.add("Shape", "ids", start=1, end=2)
    words = graph.add("Gather", graph.weight("embeddings.word_embeddings.weight"), "ids")
    zero = graph.constant("zero", np.array([0], np.int64))
    positions = graph.add("Slice", graph.weight("embeddings.position_embeddings.weight"), zero, tokens, zero)
    kind = graph.constant("kind", weights["embeddings.token_type_embeddings.weight"][0])
    x = graph.add("Add", graph.add("Add", words, positions), kind)
    x = graph.layer_norm(x, "embeddings.LayerNorm", epsilon)
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}"

        def heads_of(part, order, name=name, x=x):
            projected = graph.linear(x, f"{name}.attention.self.{part}")
            return graph.add("Transpose", graph.add("Reshape", projected, split), perm=order)

        query, value = heads_of("query", [0, 2, 1, 3]), heads_of("value", [0, 2, 1, 3])
        key = heads_of("key", [0, 2, 3, 1])
        scores = graph.add("Div", graph.add("MatMul", query, key), scale)
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
        mixed = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), join)
        mixed = graph.linear(mixed, f"{name}.attention.output.dense")
        x = graph.layer_norm(graph.add("Add", mixed, x), f"{name}.attention.output.LayerNorm", epsilon)
        wide = graph.gelu(graph.linear(x, f"{name}.intermediate.dense"))
        narrow = graph.linear(wide, f"{name}.output.dense")
        x = graph.layer_norm(graph.add("Add", narrow, x), f"{name}.output.LayerNorm", epsilon)
    mean = graph.add("ReduceMean", x, axes=[0, 1], keepdims=0)
    norm = graph.add("ReduceL2", mean, axes=[0], keepdims=1)
    graph.nodes.append(helper.make_node("Div", [mean, norm], ["embedding"]))
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "tokens"])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [width])
    made = helper.make_graph(graph.nodes, "minilm", [ids], [embedding], list(graph.constants.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def check(path, reference):
    """The largest distance between a component and the reference's."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for item in reference["items"]:
        (vector,) = session.run(None, {"ids": np.array([item["ids"]], np.int64)})
        worst = max(worst, float(np.abs(vector - np.array(item["embedding"])).max()))
    return worst


def main():
    folder, out, reference = (Path(argument) for argument in sys.argv[1:4])
    config = json.loads((folder / "config.json").read_text())
    unfinished = out.with_suffix(".unfinished")
    onnx.save(build(read_safetensors(folder / "model.safetensors"), config), str(unfinished))
    worst = check(unfinished, json.loads(reference.read_text()))
    print(f"largest difference to the reference: {worst:.2e}")
    if not worst <= TOLERANCE:
        sys.exit(f"the graph is wrong: it differs from the reference by {worst:.2e}, more than {TOLERANCE:.0e}")
    unfinished.rename(out)


if __name__ == "__main__":
    main()
