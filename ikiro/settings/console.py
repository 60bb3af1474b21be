"""The console as a process of its own: no database, no store, nothing but the gateway's address and a secret."""

from __future__ import annotations

from ikiro.settings import environment as env
from ikiro.settings.console_common import *  # noqa: F403

# The gateway's own: with it the console vouches for its visitors' addresses.
SECRET_KEY = env.text("IKIRO_SECRET_KEY")
DEBUG = False
ALLOWED_HOSTS = env.words("IKIRO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

INSTALLED_APPS = ["console"]
MIDDLEWARE = CONSOLE_MIDDLEWARE
DATABASES: dict[str, object] = {}
ROOT_URLCONF = "console.root"
ASGI_APPLICATION = "console.asgi.application"
# TLS ends at the proxy in front, which says so in X-Forwarded-Proto.
if IKIRO_CONSOLE_URL.startswith("https://"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "ikiro.redaction.PlainFormatter", "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("IKIRO_LOG_LEVEL", "INFO")},
    # httpx logs a line with the URL of each call; the console's pages show those calls themselves.
    "loggers": {"httpx": {"level": "WARNING"}},
}
