"""Persons for the running product."""

from __future__ import annotations

from tests.factories.people import committed_database, people

__all__ = ["committed_database", "people"]
