"""The accounts of the running product, and a second web process with small limits and the real password hasher."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts.support import Accounts
from tests.factories.organizations import committed_database
from tests.harness import Gateway

__all__ = ["committed_database"]


@pytest.fixture(scope="session")
def accounts(gateway: Gateway) -> Iterator[Accounts]:
    with Accounts(gateway.base_url, Path(gateway.env["IKIRO_MAIL_DIR"])) as running:
        yield running


@pytest.fixture(scope="session")
def strict(gateway: Gateway) -> Iterator[Accounts]:
    """Behind one proxy, so that a test chooses its addresses by ``X-Forwarded-For``."""
    with (
        gateway.beside(
            DJANGO_SETTINGS_MODULE="ikiro.settings.local",
            IKIRO_TRUSTED_PROXIES="1",
            IKIRO_SIGN_IN_PER_ADDRESS="6",
            IKIRO_LOCKOUT_AFTER="3",
            IKIRO_LOCKOUT_S="4",
            IKIRO_MAIL_CODE_S="1",
        ) as product,
        Accounts(product.base_url, Path(product.env["IKIRO_MAIL_DIR"])) as running,
    ):
        yield running
