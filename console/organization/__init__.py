"""An organization's pages: getting started, keys, members, providers."""
