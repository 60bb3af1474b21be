"""A laptop: everything embedded, over loopback."""

from ikiro.settings import environment as env
from ikiro.settings.base import *  # noqa: F403

IKIRO_LOG_FORMAT = env.text("IKIRO_LOG_FORMAT", "console")
