"""Two organizations with real commits, for what happens between transactions."""

from __future__ import annotations

from tests.factories.organizations import acme, committed_database, globex, quiet

__all__ = ["acme", "committed_database", "globex", "quiet"]
