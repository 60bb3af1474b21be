"""Two organizations with single sign-on in front of the running product, their providers, and a name server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.factories.organizations import committed_database
from tests.harness import Gateway
from tests.sso import nameserver, openid
from tests.sso.nameserver import NameServer
from tests.sso.openid import OpenIdProvider
from tests.sso.samlidp import SamlProvider
from tests.sso.support import Company, company

__all__ = ["committed_database"]


@pytest.fixture(scope="module")
def acme(gateway: Gateway, committed_database: None) -> Company:
    """An organization of this module's own."""
    return company(gateway, "acme")


@pytest.fixture(scope="module")
def globex(gateway: Gateway, committed_database: None) -> Company:
    """The other one: acme's provider must not reach it."""
    return company(gateway, "globex")


@pytest.fixture(scope="session")
def issuer() -> Iterator[OpenIdProvider]:
    with openid.serving() as provider:
        yield provider


@pytest.fixture(scope="session")
def saml_of_acme() -> SamlProvider:
    return SamlProvider("acme")


@pytest.fixture(scope="session")
def saml_of_globex() -> SamlProvider:
    return SamlProvider("globex")


@pytest.fixture
def names(gateway: Gateway) -> Iterator[NameServer]:
    port = int(gateway.env["IKIRO_DNS_SERVERS"].rpartition(":")[2])
    with nameserver.serving(port) as server:
        yield server
