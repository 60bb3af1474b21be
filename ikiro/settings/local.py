"""A laptop: everything embedded, over loopback."""

from ikiro.settings.base import *  # noqa: F403
