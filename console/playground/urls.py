"""Addresses of the playground."""

from __future__ import annotations

from django.urls import path

from console.playground import views

urlpatterns = [
    path("o/<slug:org>/playground", views.playground, name="playground"),
    path("o/<slug:org>/playground/r/<slug:run_id>/stream", views.stream, name="playground-stream"),
    path("o/<slug:org>/playground/r/<slug:run_id>/stop", views.stop, name="playground-stop"),
]
