"""The built-in embedder: one local process that turns texts into vectors, on a unix socket. Knows no Django."""
