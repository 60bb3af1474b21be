"""The URLs of the console as a process of its own."""

from __future__ import annotations

from django.urls import include, path

from console.views.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("", include("console.urls")),
]
handler400 = "console.errors.bad_request"
handler404 = "console.errors.not_found"
handler500 = "console.errors.server_error"
