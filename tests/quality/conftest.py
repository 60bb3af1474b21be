"""The model itself, without the process that serves it: the sets are embedded once a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def embed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[str]], Any]:
    """Texts to normalised rows by the model that the product serves."""
    from ikiro.embedder.model import load

    return load(Path(tmp_path_factory.mktemp("embedder"))).embed
