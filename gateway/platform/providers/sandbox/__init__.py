"""``ikiro/sandbox``: a deterministic model without a language model in it, so that everything works offline and in
tests.
"""

from __future__ import annotations

from gateway.platform.providers.sandbox.model import Sandbox

__all__ = ["Sandbox"]
