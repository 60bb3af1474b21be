"""The one process that turns what requests left in the store into rows, and finishes what died half-way."""
