"""How the product's processes speak with the built-in embedder: frames on a unix socket. Knows no organization."""
