"""The model as an ONNX graph: BERT with six layers, mean pooling and normalisation in one, 8 bits per weight.

    input_ids, attention_mask: int64 [batch, tokens]   →   embedding: float32 [batch, 384], each of length 1

Every weight matrix is quantised per output channel, the word embeddings per word, activations per token where they
enter a matrix product. An exact graph (32-bit weights) is three times slower and as much larger; it is for
processors whose 8-bit products overflow (``model.load``). ``python -m ikiro.embedder.graph TARGET [exact]`` builds one
in a process of its own, whose memory is then given back.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ikiro.embedder import weights
from ikiro.embedder.weights import Tensor

LAYERS, HEADS, WIDTH = 6, 12, 384
_HEAD = WIDTH // HEADS
_EPSILON = 1e-12
# LayerNormalization is a part of 17, Gelu of 20; a graph of version 10 is what runtimes of the last years read.
_OPSET, _IR = 20, 10
# The code of zero in an activation.
_MIDDLE = 128


class _Graph:
    """Nodes and constants as they are put together. Every method returns the name of what it made."""

    def __init__(self, tensors: dict[str, Tensor], *, exact: bool) -> None:
        self.tensors, self._exact = tensors, exact
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[Any], name: str = "") -> str:
        name = name or f"constant_{len(self.constants)}"
        self.constants[name] = value
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def floating(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def linear(self, entering: tuple[str, str], name: str) -> str:
        """``x @ W.T + b``; ``entering`` is what ``entering`` returned for x."""
        matrix, bias = self.tensors[f"{name}.weight"], self.constant(self.tensors[f"{name}.bias"], f"{name}.bias")
        if self._exact:
            weight = self.constant(np.ascontiguousarray(matrix.T), f"{name}.weight")
            return self.op("Add", self.op("MatMul", entering[0], weight), bias)
        codes, scales = _per_row(matrix)
        product = self.op(
            "MatMulInteger",
            entering[0],
            self.constant(np.ascontiguousarray(codes.T), f"{name}.codes"),
            self.constant(np.array(_MIDDLE, np.uint8)),
            self.constant(np.array(0, np.int8)),
        )
        # One scale after the other: the two in one factor look like a pattern that onnxruntime fuses, taking the first
        # token's scale for all.
        scaled = self.op("Mul", self.op("Cast", product, to=TensorProto.FLOAT), entering[1])
        scaled = self.op("Mul", scaled, self.constant(scales[:, 0], f"{name}.scales"))
        return self.op("Add", scaled, bias)

    def entering(self, value: str) -> tuple[str, str]:
        """(8-bit codes, the scale of each token) of an activation; the activation itself in an exact graph.

        A scale for each token, not one for the call: a text's vector then is the same whatever texts are beside it.
        """
        if self._exact:
            return value, ""
        largest = self.op("ReduceMax", self.op("Abs", value), self.ints(-1), keepdims=1)
        scale = self.op("Div", self.op("Max", largest, self.floating(1e-9)), self.floating(127))
        codes = self.op("Add", self.op("Round", self.op("Div", value, scale)), self.floating(_MIDDLE))
        return self.op("Cast", codes, to=TensorProto.UINT8), scale

    def normed(self, value: str, name: str) -> str:
        gain, shift = (self.constant(self.tensors[f"{name}.{part}"], f"{name}.{part}") for part in ("weight", "bias"))
        return self.op("LayerNormalization", value, gain, shift, axis=-1, epsilon=_EPSILON)

    def embedded(self) -> str:
        """Words, positions and the one token type, normalised: [batch, tokens, width]."""
        matrix = self.tensors["embeddings.word_embeddings.weight"]
        if self._exact:
            words = self.op("Gather", self.constant(matrix, "words"), "input_ids", axis=0)
        else:
            codes, scales = _per_row(matrix)
            rows = self.op("Gather", self.constant(codes, "words.codes"), "input_ids", axis=0)
            scale = self.op("Gather", self.constant(scales, "words.scales"), "input_ids", axis=0)
            words = self.op("Mul", self.op("Cast", rows, to=TensorProto.FLOAT), scale)
        kind = self.tensors["embeddings.token_type_embeddings.weight"][0]
        table = self.constant(self.tensors["embeddings.position_embeddings.weight"] + kind, "positions")
        tokens = self.op("Gather", self.op("Shape", "input_ids"), self.ints(1), axis=0)
        places = self.op("Slice", table, self.ints(0), tokens, self.ints(0))
        return self.normed(self.op("Add", words, places), "embeddings.LayerNorm")

    def layer(self, value: str, at: int, mask: str) -> str:
        """One transformer layer: attention over all tokens that count, then two dense layers; both added and
        normalised."""
        name = f"encoder.layer.{at}"
        entering = self.entering(value)
        split = self.ints(0, 0, HEADS, _HEAD)

        def heads(part: str, order: tuple[int, ...]) -> str:
            made = self.linear(entering, f"{name}.attention.self.{part}")
            return self.op("Transpose", self.op("Reshape", made, split), perm=order)

        query, key, values = heads("query", (0, 2, 1, 3)), heads("key", (0, 2, 3, 1)), heads("value", (0, 2, 1, 3))
        root = self.floating(_HEAD**-0.5)
        scores = self.op("Add", self.op("Mul", self.op("MatMul", query, key), root), mask)
        seen = self.op("MatMul", self.op("Softmax", scores, axis=-1), values)
        joined = self.op("Reshape", self.op("Transpose", seen, perm=(0, 2, 1, 3)), self.ints(0, 0, WIDTH))
        attended = self.linear(self.entering(joined), f"{name}.attention.output.dense")
        value = self.normed(self.op("Add", attended, value), f"{name}.attention.output.LayerNorm")
        inner = self.op("Gelu", self.linear(self.entering(value), f"{name}.intermediate.dense"))
        outer = self.linear(self.entering(inner), f"{name}.output.dense")
        return self.normed(self.op("Add", outer, value), f"{name}.output.LayerNorm")

    def pooled(self, value: str, counts: str) -> str:
        """The mean over the tokens that count, brought to length 1."""
        weight = self.op("Unsqueeze", counts, self.ints(2))
        summed = self.op("ReduceSum", self.op("Mul", value, weight), self.ints(1), keepdims=0)
        # The number of tokens needs no division: only the direction is left after normalisation.
        length = self.op("ReduceL2", summed, self.ints(1), keepdims=1)
        return self.op("Div", summed, length)


def build(tensors: dict[str, Tensor], *, exact: bool = False) -> bytes:
    """The serialised graph of these weights."""
    graph = _Graph(tensors, exact=exact)
    counts = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    missing = graph.op("Sub", counts, graph.floating(1))
    far = graph.op("Mul", missing, graph.floating(1e4))
    mask = graph.op("Unsqueeze", far, graph.ints(1, 2))
    value = graph.embedded()
    for at in range(LAYERS):
        value = graph.layer(value, at, mask)
    made = graph.pooled(value, counts)
    graph.nodes.append(helper.make_node("Identity", [made], ["embedding"]))
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    whole = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], constants)
    model = helper.make_model(
        whole, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR, producer_name="ikiro-gateway"
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _per_row(matrix: Tensor) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(codes, scales [rows, 1]) with ``codes * scales`` close to the matrix: symmetric, 8 bits, a scale for each
    row."""
    scales = np.maximum(np.abs(matrix).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / 127
    return np.rint(matrix / scales).astype(np.int8), scales


def write(target: Path, *, exact: bool) -> None:
    """Build the installed model's graph and put it at ``target``, in one step: who reads sees all of it or none."""
    made = build(weights.read(weights.installed().weights), exact=exact)
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    write(Path(sys.argv[1]), exact="exact" in sys.argv[2:])
