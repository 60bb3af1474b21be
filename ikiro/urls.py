"""Every URL of the installation. Nothing under ``/v1`` exists outside the spine; an architecture test walks this
list."""

from __future__ import annotations

from django.urls import include, path

from gateway.surfaces.health import healthz, readyz
from gateway.surfaces.metrics import metrics
from gateway.surfaces.v1.api import api as v1

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("v1/", v1.urls),
    path("", include("tenants.accounts.urls")),
    path("", include("console.urls")),
]
# Seen by people only: the API and the accounts word their own failures.
handler400 = "console.errors.bad_request"
handler404 = "console.errors.not_found"
handler500 = "console.errors.server_error"
