"""One scripted upstream for the tests of this folder, forgetful between them."""

from __future__ import annotations

import pytest

from tests.upstream import running


@pytest.fixture(scope="module")
def _upstream():
    with running() as handle:
        yield handle


@pytest.fixture
def upstream(_upstream):
    _upstream.reset()
    return _upstream
