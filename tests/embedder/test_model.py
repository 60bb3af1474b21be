"""The built-in model computes what its authors say, in both graphs, whatever the texts' order and length."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ikiro.embedder import graph, model, weights
from ikiro.embedder.model import MAX_TOKENS, Model
from tests.embedding import Embedder

SAID = ["That is a happy person", "That is a very happy person", "That is a happy dog", "Today is a sunny day"]


@pytest.fixture(scope="module")
def loaded(embedder: Embedder) -> Model:
    """The model on the graph that the process built."""
    embedder.ready()
    return model.load(Path(embedder.env["IKIRO_STATE_DIR"]) / "embedder")


def test_model__the_cards_example__comes_out_as_its_authors_say(loaded: Model) -> None:
    first, *others = loaded.embed(SAID)
    near = [float(first @ other) for other in others]
    assert near == pytest.approx([0.943, 0.695, 0.257], abs=0.02)
    assert float(np.linalg.norm(first)) == pytest.approx(1.0, abs=1e-5)


def test_model__exact_graph__agrees_to_the_third_digit_and_with_the_small_one(loaded: Model, tmp_path: Path) -> None:
    target = tmp_path / "exact.onnx"
    graph.write(target, exact=True)
    exact = Model(target, weights.installed().tokenizer)
    first, *others = exact.embed(SAID)
    assert [float(first @ other) for other in others] == pytest.approx([0.943, 0.695, 0.257], abs=0.001)
    assert model.is_right(exact)
    same = (exact.embed(SAID) * loaded.embed(SAID)).sum(axis=1)
    assert float(same.min()) > 0.97


def test_model__many_texts_of_different_length__are_the_same_as_one_by_one(loaded: Model) -> None:
    texts = ["word " * count for count in (1, 60, 3, 250, 9, 17, 2, 90, 5, 33, 4, 1)] + ["", "Grüße aus Zürich 🦊"]
    together = loaded.embed(texts)
    alone = np.concatenate([loaded.embed([text]) for text in texts])
    assert together.shape == (len(texts), 384)
    assert float(np.abs(together - alone).max()) < 1e-5


def test_pieces__texts_of_any_length__are_bounded_in_number_and_tokens(loaded: Model) -> None:
    texts = ["word " * count for count in (*range(1, 30), 2_000, 3_000, 250)]
    pieces = list(loaded.pieces(texts))
    assert sorted(place for piece in pieces for place in piece.places) == list(range(len(texts)))
    assert max(len(piece.places) for piece in pieces) == 8
    longest = [max(len(one.ids) for one in piece.encodings) for piece in pieces]
    assert max(longest) == MAX_TOKENS
    assert all(len(piece.places) * long <= 1_024 for piece, long in zip(pieces, longest, strict=True))


def test_graph__another_model_file__is_built_anew_and_the_old_one_goes(
    loaded: Model, embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.is_right(loaded)
    (first,) = (Path(embedder.env["IKIRO_STATE_DIR"]) / "embedder").glob("*.onnx")
    shutil.copy(first, tmp_path / first.name)
    built: list[Path] = []
    monkeypatch.setattr(model, "_build", lambda path, *, exact: built.append(path))
    files = weights.installed()
    assert model._graph(tmp_path, files, exact=False) == tmp_path / first.name
    assert built == []
    monkeypatch.setattr(weights.ModelFiles, "digest", lambda self: "0" * 64)
    assert model._graph(tmp_path, files, exact=False).name == "minilm-0000000000000000-v1.onnx"
    assert [path.name for path in built] == ["minilm-0000000000000000-v1.onnx"]


def test_build__a_new_graph__replaces_those_of_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("minilm-0000000000000000-v1.onnx", "minilm-1111111111111111-v1-exact.onnx"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(model.subprocess, "run", lambda command, **_: Path(command[3]).write_bytes(b"made"))
    model._build(tmp_path / "minilm-1111111111111111-v1.onnx", exact=False)
    assert {path.name for path in tmp_path.iterdir()} == {
        "minilm-1111111111111111-v1.onnx",
        "minilm-1111111111111111-v1-exact.onnx",
    }


def test_weights__a_file_that_is_none__is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "model.safetensors"
    broken.write_bytes(b"\xff" * 64)
    with pytest.raises(weights.ModelMissing, match="is no safetensors file"):
        weights.read(broken)
