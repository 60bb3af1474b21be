"""The Celery application: every slice's ``tasks`` module, JSON only."""

from __future__ import annotations

from celery import Celery

from ikiro.heartbeat import WorkerHeartbeat

app = Celery("ikiro")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(WorkerHeartbeat)
