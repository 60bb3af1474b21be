"""The playground: try a persona on the real pipeline."""
