"""The console's addresses. Included at the root: by ``ikiro/urls.py`` in the web process, by ``console/root.py`` alone.

Each area of pages has its own ``urls.py``; names are unique over all of them (``console:keys``).
"""

from __future__ import annotations

from django.urls import include, path

from console.live import live
from console.views import files, home, kit, overview, palette, preferences

app_name = "console"
urlpatterns = [
    path("", home.home, name="home"),
    path("static/<path:name>", files.asset, name="asset"),
    path("preferences", preferences.change, name="preferences"),
    path("_kit", kit.kit, name="kit"),
    path("o/<slug:org>/", overview.overview, name="overview"),
    path("o/<slug:org>", overview.without_slash),
    path("o/<slug:org>/live", live, name="live"),
    path("o/<slug:org>/palette", palette.palette, name="palette"),
    path("", include("console.auth.urls")),
    path("", include("console.organization.urls")),
    path("", include("console.playground.urls")),
]
