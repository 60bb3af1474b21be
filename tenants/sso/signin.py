"""From a verified assertion to a session: a code in the browser's address line, then the session behind it.

The code lives a minute, works once and is stored as a hash. The browser never carries the session's token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest

from gateway.core.errors import BadRequest
from gateway.core.plain import clean
from tenants.models import MembershipRow, User
from tenants.sso import selectors, services, store
from tenants.sso.admission import admit, check
from tenants.sso.errors import SignInRefused
from tenants.sso.types import Assertion, Attempt, Connection

CODE_S = 60
TEST_S = 600
_HIDDEN = ("token", "secret", "password", "nonce", "hash", "jti")
_HIDDEN_EXACTLY = frozenset({"sid", "session_state"})


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the account API, opened by single sign-on."""

    token: str
    slug: str
    expires_at: datetime


def begin_test(connection: Connection, by: UUID) -> str:
    """The one-time token of a test of the present configuration."""
    value = {"connection": str(connection.id), "config_hash": connection.config_hash, "by": str(by)}
    return store.keep("test", value, TEST_S)


def read_test(connection: Connection, token: str) -> Attempt:
    """The attempt that a test's token begins. Raises SignInRefused ``sso_expired``."""
    found = store.take("test", token)
    if found is None or found["connection"] != str(connection.id) or found["config_hash"] != connection.config_hash:
        raise SignInRefused("sso_expired", "This test was run already, or the configuration changed since.")
    return Attempt(config_hash=connection.config_hash, tested_by=found["by"])


def finish(connection: Connection, attempt: Attempt, assertion: Assertion) -> str | None:
    """The code for the console, or None after a test, whose result is stored. Raises SignInRefused."""
    if attempt.config_hash != connection.config_hash:
        raise SignInRefused("sso_expired", "The configuration changed in the middle of this attempt.")
    if attempt.tested_by:
        check(connection, assertion)
        shown = _shown(assertion.claims)
        services.store_test(
            connection.ref, config_hash=attempt.config_hash, by=UUID(attempt.tested_by), email=assertion.email,
            claims=shown,
        )  # fmt: skip
        return None
    if not connection.signs_in:
        raise SignInRefused("sso_unavailable", "Single sign-on is switched off for this organization.")
    user_id = admit(connection, assertion)
    value = {
        "user": str(user_id),
        "organization": str(connection.ref.id),
        "provider": connection.provider_id,
        "uid": assertion.uid,
        "challenge": attempt.challenge,
    }
    return store.keep("code", value, CODE_S)


def fail(connection: Connection, attempt: Attempt | None, refused: SignInRefused) -> None:
    """Keep a test's failure, in clear words."""
    if attempt is not None and attempt.tested_by:
        services.store_test(
            connection.ref,
            config_hash=attempt.config_hash,
            by=UUID(attempt.tested_by),
            error=(refused.code, refused.detail),
        )


def exchange(code: str, verifier: str | None, request: HttpRequest) -> Session:
    """The session behind a code. Raises BadRequest ``sso_code_invalid``, whatever is wrong with it."""
    found = store.take("code", code)
    if found is None or not _answers(found["challenge"], verifier or ""):
        raise _invalid()
    connection = selectors.connection_of(UUID(found["organization"]))
    user = User.objects.filter(pk=UUID(found["user"]), is_active=True).first()
    if user is None or connection is None or not connection.signs_in or connection.provider_id != found["provider"]:
        raise _invalid()
    if not MembershipRow.objects.filter(organization_id=connection.ref.id, user=user, removed_at=None).exists():
        raise _invalid()
    return _open(request, user, connection, found)


def _open(request: HttpRequest, user: User, connection: Connection, found: dict[str, Any]) -> Session:
    from allauth.account.adapter import get_adapter  # noqa: PLC0415 - the API loads it once somebody signs in here
    from allauth.account.internal.flows.login import record_authentication  # noqa: PLC0415
    from allauth.core.context import request_context  # noqa: PLC0415
    from allauth.headless.internal.sessionkit import new_session  # noqa: PLC0415
    from allauth.usersessions.models import UserSession  # noqa: PLC0415

    request.session, request.user = new_session(), AnonymousUser()
    with request_context(request), transaction.atomic():
        # No second factor of ours is asked: the organization's provider decides how its people prove who they are.
        record_authentication(
            request, user, "socialaccount", provider=found["provider"], uid=found["uid"], at=_proved_at(user)
        )
        get_adapter(request).login(request, user)
        UserSession.objects.create_from_request(request)
        request.session.save()
    return Session(str(request.session.session_key), connection.slug, request.session.get_expiry_date())


def _proved_at(user: User) -> float:
    """When this sign-in counts as a proof towards the account itself. A provider may open its organization to somebody,
    but not hang another passkey onto an account that has a password or a factor of its own: that asks for those."""
    own = user.has_usable_password() or Authenticator.objects.filter(user=user).exists()
    return time.time() - (settings.ACCOUNT_REAUTHENTICATION_TIMEOUT if own else 0)


def _answers(challenge: str, verifier: str) -> bool:
    """Whether this is the browser that began (RFC 7636, S256). A code without a challenge is not for a browser that has
    a verifier: somebody else's sign-in was slipped to it."""
    if not challenge:
        return not verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)


def _invalid() -> BadRequest:
    return BadRequest(
        "This code was used, has ended or was never given. Sign in again.", code="sso_code_invalid", status=400
    )


def _shown(claims: dict[str, Any]) -> dict[str, Any]:
    """What a test shows of the claims: plain values, shortened, and nothing that is or names a secret."""
    shown: dict[str, Any] = {}
    for name, value in list(claims.items())[:60]:
        lowered = str(name).lower()
        if lowered in _HIDDEN_EXACTLY or any(part in lowered for part in _HIDDEN):
            continue
        shown[clean(str(name)[:120])] = _plain(value)
    return shown


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_plain(one) for one in value[:20]]
    return clean(str(value)[:200])
