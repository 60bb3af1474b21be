"""The console's addresses; ``ikiro/urls.py`` includes them at the root."""

from __future__ import annotations

from django.urls import path

from console import views

app_name = "console"
urlpatterns = [
    path("", views.home, name="home"),
    path("static/<path:name>", views.asset, name="asset"),
]
