"""Shapes of personas on the wire."""
