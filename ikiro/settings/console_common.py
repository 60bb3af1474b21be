"""What the console needs wherever it runs: as a lane of the web process, and alone (``ikiro.settings.console``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ikiro.settings import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent.parent

# No database, no cache, no gateway: these read the request and write headers.
CONSOLE_MIDDLEWARE = [
    "console.middleware.Security",
    "console.middleware.ContentSecurityPolicy",
    "console.middleware.Visit",
    "console.middleware.Csrf",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "builtins": ["console.templatetags.console", "template_partials.templatetags.partials"],
            "context_processors": ["django.template.context_processors.request"],
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "console.loader.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
        },
    },
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

# Nothing inline, nothing from elsewhere, never inside another site's frame.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "manifest-src": ["'self'"],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CSRF_COOKIE_NAME = "ikiro_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "console.errors.csrf_failure"

# Where the console's own calls go: by default to the process it is part of.
IKIRO_GATEWAY_URL = (
    env.text("IKIRO_GATEWAY_URL", "") or f"http://127.0.0.1:{env.integer('PORT', 8000, most=65535)}"
).rstrip("/")
# The same API as a developer's machine reaches it: what snippets and the drawer show.
IKIRO_API_URL = (env.text("IKIRO_PUBLIC_URL", "") or IKIRO_GATEWAY_URL).rstrip("/")
# Where people open it, for links and for the cookies' Secure flag behind a proxy.
IKIRO_CONSOLE_URL = (
    env.text("IKIRO_CONSOLE_URL", "")
    or env.text("IKIRO_PUBLIC_URL", "")
    or f"http://127.0.0.1:{env.integer('PORT', 8000, most=65535)}"
).rstrip("/")
CSRF_TRUSTED_ORIGINS = [IKIRO_CONSOLE_URL] if IKIRO_CONSOLE_URL.startswith("https://") else []
IKIRO_TRUSTED_PROXIES = env.integer("IKIRO_TRUSTED_PROXIES", 0, most=10)
# A page that shows every component, for looking at them and for the accessibility tests.
IKIRO_CONSOLE_KIT = env.text("IKIRO_CONSOLE_KIT", "") == "1"
