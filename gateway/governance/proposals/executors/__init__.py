"""The types that reach beyond memory, one file each; what belongs to memory registers itself."""
