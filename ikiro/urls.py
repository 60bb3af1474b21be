"""Every URL of the installation. Nothing under ``/v1`` exists outside the spine; an architecture test walks this
list."""

from __future__ import annotations

from django.urls import include, path

from gateway.surfaces.health import healthz, readyz
from gateway.surfaces.metrics import metrics
from gateway.surfaces.schemas import schema
from gateway.surfaces.v1.api import api as v1
from gateway.surfaces.well_known import receipt_keys

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("v1/", v1.urls),
    path(".well-known/ikiro-receipts.json", receipt_keys),
    path("schemas/<name>", schema),
    path("", include("tenants.accounts.urls")),
    path("", include("console.urls")),
]
# Seen by people only: the API and the accounts word their own failures.
handler400 = "console.errors.bad_request"
handler404 = "console.errors.not_found"
handler500 = "console.errors.server_error"
