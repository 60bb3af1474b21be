"""The Celery application: every slice's ``tasks`` module, JSON only."""

from __future__ import annotations

import os

from celery import Celery

from ikiro.heartbeat import WorkerHeartbeat

# Celery would run Django's system checks in every worker, and one of them imports every URL: the whole API, its
# schemas and the console, of which a worker serves nothing. `make check` and the tests run them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("ikiro")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(WorkerHeartbeat)
