"""The budget of connections."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured


@pytest.mark.usefixtures("django_db_setup")
@pytest.mark.django_db(databases="__all__")
def test_connections__more_than_the_server_allows__stop_the_start(settings) -> None:
    from tenants import connections

    connections.refuse_overcommitment()
    settings.IKIRO_WEB_PROCESSES = 100
    with pytest.raises(ImproperlyConfigured, match="max_connections"):
        connections.refuse_overcommitment()
