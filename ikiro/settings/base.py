"""Settings shared by every environment. Values that differ between installations come from the environment alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ikiro.settings import environment as env
from ikiro.settings.accounts import *  # noqa: F403
from ikiro.settings.console_common import *  # noqa: F403
from ikiro.settings.sso import *  # noqa: F403
from ikiro.settings.telemetry import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent.parent.parent
STATE_DIR = Path(env.text("IKIRO_STATE_DIR", str(BASE_DIR / ".ikiro")))

SECRET_KEY = env.text("IKIRO_SECRET_KEY")
DEBUG = False
ALLOWED_HOSTS = env.words("IKIRO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

# --- where rows live (ADR-0006) -------------------------------------------------------------------------------
SHARED_APPS = [
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "tenants",
    *ACCOUNT_APPS,
    "tenants.sso",
    "gateway.platform.ledger",
    "gateway.platform.outbox",
    "gateway.platform.receipts",
]
TENANT_APPS = [
    "gateway.platform.events",
    "gateway.platform.audit",
    "gateway.platform.requests",
    "gateway.platform.operations",
    "gateway.platform.billing",
    "gateway.platform.idempotency",
    "gateway.platform.providers",
    "gateway.governance.access",
    "gateway.governance.policies",
    "gateway.governance.proposals",
    "gateway.knowledge.personas",
    "gateway.knowledge.subjects",
    "gateway.knowledge.memory",
    "gateway.engine.conversations",
    "gateway.engine.documents",
    "gateway.engine.consistency",
    "gateway.engine.experiments",
    "gateway.engine.erasure",
    "gateway.engine.closing",
]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS, "ikiro", "console"]
TENANT_MODEL = "tenants.OrganizationRow"
TENANT_DB_ALIAS = "owner"
TENANT_LIMIT_SET_CALLS = True
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
AUTH_USER_MODEL = "tenants.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- the database: one server, three roles (ADR-0015) -------------------------------------------------------------
IKIRO_DB_THREADS = env.integer("IKIRO_DB_THREADS", 8, least=1, most=64)
IKIRO_DB_POOL = env.integer("IKIRO_DB_POOL", 12, least=1, most=200)
# What the installation runs, for the budget of connections.
IKIRO_WEB_PROCESSES = env.integer("IKIRO_WEB_PROCESSES", 1, least=1)
IKIRO_WORKER_PROCESSES = env.integer("IKIRO_WORKER_PROCESSES", 1, least=0)
IKIRO_WORKER_CONCURRENCY = env.integer("IKIRO_WORKER_CONCURRENCY", 4, least=1)
_SERVER = env.database("IKIRO_DATABASE_URL")
# Which kind of process this is, for whoever looks at the database's sessions.
PROCESS = env.text("IKIRO_PROCESS", "ikiro")


def _connection(engine: str, role: str | None, pool: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {"application_name": PROCESS, "connect_timeout": 3, **_SERVER["OPTIONS"]}  # type: ignore[dict-item]
    if role:
        # Not Django's assume_role: with a pool it asks the pool for a connection in order to make one.
        options["options"] = f"-c role={role}"
    if pool:
        options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 3, "max_idle": 60, "reconnect_timeout": 5}
    return {
        **_SERVER,
        "ENGINE": engine,
        "OPTIONS": options,
        "CONN_MAX_AGE": 0 if pool else None,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }


DATABASES = {
    "default": _connection("django_tenants.postgresql_backend", "ikiro_app", IKIRO_DB_POOL),
    "batch": _connection("django_tenants.postgresql_backend", "ikiro_batch", None),
    "owner": _connection("django_tenants.postgresql_backend", None, None),
}

# --- Valkey / Redis: state is never evicted, the cache may be ---------------------------------------------------
IKIRO_REDIS_URL = env.text("IKIRO_REDIS_URL")
IKIRO_CACHE_URL = env.text("IKIRO_CACHE_URL", IKIRO_REDIS_URL)
IKIRO_BROKER_URL = env.text("IKIRO_BROKER_URL", IKIRO_REDIS_URL)
IKIRO_VALKEY_TIMEOUT_MS = env.integer("IKIRO_VALKEY_TIMEOUT_MS", 1000, least=10)
# Admission waits no longer than this for an answer; then a worker decides by itself, within what it has in hand.
IKIRO_ADMISSION_TIMEOUT_MS = env.integer("IKIRO_ADMISSION_TIMEOUT_MS", 100, least=10)
IKIRO_ALLOWANCE_CALLS = env.integer("IKIRO_ALLOWANCE_CALLS", 1000, least=0)
IKIRO_ALLOWANCE_MICROS = env.integer("IKIRO_ALLOWANCE_MICROS", 1_000_000, least=0)
IKIRO_LEASE_TTL_S = env.decimal("IKIRO_LEASE_TTL_S", 60, least=1)
IKIRO_FAST_LANE = bool(env.integer("IKIRO_FAST_LANE", 1, most=1))
IKIRO_EPOCH_POLL_S = env.decimal("IKIRO_EPOCH_POLL_S", 0.25, least=0.01)
IKIRO_STREAMS_MB = env.integer("IKIRO_STREAMS_MB", 64, least=0)
IKIRO_SHARDS = 64
IKIRO_LEDGER_RETENTION_DAYS = env.integer("IKIRO_LEDGER_RETENTION_DAYS", 400, least=35)
# Who is asked to take the money for a plan (gateway/platform/billing/payment.py).
IKIRO_PAYMENT = env.text("IKIRO_PAYMENT", "manual")
IKIRO_STATE_DIR = STATE_DIR
# Worker and scheduler have no port: the age of this file says that they are alive.
IKIRO_HEARTBEAT_PATH = env.text("IKIRO_HEARTBEAT_PATH", "")

# --- secrets ------------------------------------------------------------------------------------------------
IKIRO_KEYRING = json.loads(env.text("IKIRO_KEYRING"))

# --- models -------------------------------------------------------------------------------------------------
IKIRO_PROVIDERS = {
    "openai": {
        "base_url": env.text("IKIRO_OPENAI_BASE_URL", ""),
        "api_key": env.text("IKIRO_OPENAI_API_KEY", ""),
    },
    "anthropic": {
        "base_url": env.text("IKIRO_ANTHROPIC_BASE_URL", ""),
        "api_key": env.text("IKIRO_ANTHROPIC_API_KEY", ""),
    },
}
IKIRO_MODEL_ALIASES = env.routes("IKIRO_MODEL_ALIASES")
IKIRO_UPSTREAM_CONNECT_S = env.decimal("IKIRO_UPSTREAM_CONNECT_S", 5, least=0.1)
IKIRO_UPSTREAM_FIRST_TOKEN_S = env.decimal("IKIRO_UPSTREAM_FIRST_TOKEN_S", 120, least=0.1)
IKIRO_UPSTREAM_STALL_S = env.decimal("IKIRO_UPSTREAM_STALL_S", 60, least=0.1)
IKIRO_UPSTREAM_TOTAL_S = env.decimal("IKIRO_UPSTREAM_TOTAL_S", 600, least=1)
IKIRO_UPSTREAM_RETRIES = env.integer("IKIRO_UPSTREAM_RETRIES", 2, most=5)
# Where the built-in embedder answers; without it memories are recalled by their words alone.
IKIRO_EMBEDDER_SOCKET = (
    env.text("IKIRO_EMBEDDER_SOCKET", "") if env.integer("IKIRO_EMBEDDER", 1, least=0, most=1) else ""
)
IKIRO_EGRESS_ALLOW = env.words("IKIRO_EGRESS_ALLOW")
IKIRO_BODY_LIMITS = {
    name: env.integer(f"IKIRO_BODY_LIMIT_{name.upper()}", 0) for name in ("default", "inference", "document", "batch")
}

# --- web ----------------------------------------------------------------------------------------------------
ROOT_URLCONF = "ikiro.urls"
ASGI_APPLICATION = "ikiro.asgi.application"
# Bodies are bounded per route class by the lanes in ikiro/asgi.py, before Django sees them.
DATA_UPLOAD_MAX_MEMORY_SIZE = None

# --- time and language: UTC everywhere (ADR-0009) -----------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

# --- background work ------------------------------------------------------------------------------------------
CELERY_BROKER_URL = IKIRO_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A task lost with its worker is delivered again after this long; the scheduler's sweeps are the faster second way.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "ikiro.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("IKIRO_LOG_LEVEL", "INFO")},
    "loggers": {"django.request": {"level": "ERROR"}, "httpx": {"level": "WARNING"}},
}
