"""The browser's way through single sign-on, on the account lane: start, callback (OpenID Connect), ACS (SAML).

Every way ends with a redirect to the console: with a one-time code, with an error's code, or back to the page that
began a test. No page is shown here and nobody is signed in on this address.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlencode

import structlog
from allauth.socialaccount.internal import statekit
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from tenants.sso import saml, selectors, signin, store
from tenants.sso.errors import SignInRefused
from tenants.sso.types import Attempt, Connection

log = structlog.get_logger(__name__)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,500}\Z")
_ATTEMPT_S = 900
_HANDED_OVER_S = 120


@require_GET
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Send the browser to the organization's identity provider."""
    connection = selectors.connection_by_slug(slug)
    if connection is None:
        return _refuse(slug, _unavailable())
    attempt = None
    try:
        attempt = _attempt(request, connection)
        request.session.set_expiry(_ATTEMPT_S)
        where = _oidc_start if connection.kind == "oidc" else _saml_start
        return where(request, connection, attempt)
    except SignInRefused as refused:
        return _failed(connection, attempt, refused)


@require_GET
def oidc_callback(request: HttpRequest, slug: str) -> HttpResponse:
    """The browser is back from an OpenID provider with a code, or with an error."""
    from tenants.sso.oidc import check_issuer  # noqa: PLC0415 - loads a client that only this needs

    connection = selectors.connection_by_slug(slug)
    if connection is None or connection.kind != "oidc":
        return _refuse(slug, _unavailable())
    attempt = None
    try:
        state = _state(request, connection, request.GET.get("state", ""))
        attempt = Attempt(**state["data"])
        check_issuer(connection, request.GET.get("iss"))
        if "code" not in request.GET:
            raise _declined(request)
        assertion = _provider(request, connection).get_oauth2_adapter(request).assertion(state, attempt.nonce)
        return _finished(connection, attempt, signin.finish(connection, attempt, assertion))
    except SignInRefused as refused:
        return _failed(connection, attempt, refused)


@csrf_exempt
@require_POST
def acs(request: HttpRequest, slug: str) -> HttpResponse:
    """A SAML answer arrives, posted from another site and therefore without this site's cookies. It is verified at
    once; the browser then comes back by itself, with the cookie of its attempt and a token for what was verified."""
    connection = selectors.connection_by_slug(slug)
    if connection is None or connection.kind != "saml":
        return _refuse(slug, _unavailable())
    encoded = request.POST.get("SAMLResponse", "")
    try:
        answer = saml.read(connection, encoded)
        found: dict[str, Any] = {"request": answer.in_response_to, "assertion": asdict(answer.assertion)}
    except SignInRefused as refused:
        found = {
            "request": saml.unverified_request_id(encoded),
            "error": [refused.code, refused.detail[:500]],
        }
    token = store.keep("acs", {**found, "connection": str(connection.id)}, _HANDED_OVER_S)
    response = HttpResponseRedirect(f"finish/?{urlencode({'answer': token})}")
    response.status_code = 303
    return response


@require_GET
def acs_finish(request: HttpRequest, slug: str) -> HttpResponse:
    """The second half of ``acs``: is this the browser that sent the request?"""
    from tenants.sso.types import Assertion  # noqa: PLC0415

    connection = selectors.connection_by_slug(slug)
    found = store.take("acs", request.GET.get("answer", ""))
    if connection is None or found is None or found["connection"] != str(connection.id):
        return _refuse(slug, _expired())
    attempt = None
    try:
        attempt = Attempt(**_state(request, connection, found["request"])["data"])
        if "error" in found:
            raise SignInRefused(*found["error"])
        return _finished(connection, attempt, signin.finish(connection, attempt, Assertion(**found["assertion"])))
    except SignInRefused as refused:
        return _failed(connection, attempt, refused)


@require_GET
def saml_metadata(request: HttpRequest, slug: str) -> HttpResponse:
    """Our metadata for an organization's identity provider. It follows from the name alone and says nothing of it."""
    return HttpResponse(saml.metadata(slug), content_type="application/samlmetadata+xml")


def _attempt(request: HttpRequest, connection: Connection) -> Attempt:
    test = request.GET.get("test", "")
    if test:
        return replace(signin.read_test(connection, test), nonce=secrets.token_urlsafe(24))
    if not connection.signs_in:
        raise _unavailable()
    challenge, path = request.GET.get("challenge", ""), request.GET.get("next", "")
    if challenge and not _CHALLENGE.match(challenge):
        raise SignInRefused("sso_failed", "The challenge is not one.")
    return Attempt(
        config_hash=connection.config_hash,
        next=path if _PATH.match(path) else "",
        challenge=challenge,
        nonce=secrets.token_urlsafe(24),
    )


def _oidc_start(request: HttpRequest, connection: Connection, attempt: Attempt) -> HttpResponse:
    provider = _provider(request, connection)
    more = {"nonce": attempt.nonce}
    response: HttpResponse = provider.redirect(request, "login", data=asdict(attempt), auth_params=more)
    return response


def _saml_start(request: HttpRequest, connection: Connection, attempt: Attempt) -> HttpResponse:
    url, request_id = saml.begin(connection)
    state = {"process": "login", "data": asdict(attempt)}
    statekit.stash_state(request, provider_id=connection.provider_id, state=state, state_id=request_id)
    return HttpResponseRedirect(url)


def _provider(request: HttpRequest, connection: Connection) -> Any:
    from tenants.sso.adapter import app_of  # noqa: PLC0415 - allauth's providers load a client that only this needs
    from tenants.sso.provider import OrganizationOidc  # noqa: PLC0415

    return OrganizationOidc(request, app=app_of(connection))


def _state(request: HttpRequest, connection: Connection, state_id: str) -> dict[str, Any]:
    """What this browser keeps of the attempt, for this connection and no other; it works once."""
    found = statekit.unstash_state(request, provider_id=connection.provider_id, state_id=state_id)
    if found is None:
        raise _expired()
    return dict(found)


def _finished(connection: Connection, attempt: Attempt, code: str | None) -> HttpResponse:
    if code is None:
        return _console(f"/o/{connection.slug}/sso", tested="ok")
    return _console("/login/sso", code=code, organization=connection.slug, next=attempt.next)


def _failed(connection: Connection, attempt: Attempt | None, refused: SignInRefused) -> HttpResponse:
    log.warning("sso_refused", organization=connection.ref.public_id, code=refused.code, detail=refused.detail)
    signin.fail(connection, attempt, refused)
    if attempt is not None and attempt.tested_by:
        return _console(f"/o/{connection.slug}/sso", tested="failed")
    return _refuse(connection.slug, refused)


def _refuse(slug: str, refused: SignInRefused) -> HttpResponse:
    return _console("/login/sso", error=refused.code, organization=slug)


def _console(path: str, **query: str) -> HttpResponse:
    given = urlencode({name: value for name, value in query.items() if value})
    response = HttpResponseRedirect(f"{settings.IKIRO_CONSOLE_URL}{path}?{given}")
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _declined(request: HttpRequest) -> SignInRefused:
    said = request.GET.get("error", "")
    if said in ("access_denied", "login_required", "consent_required", "interaction_required"):
        return SignInRefused("sso_cancelled", "The sign-in was stopped at the identity provider.")
    shown = said if re.fullmatch(r"[\w.-]{1,60}", said) else "no code"
    return SignInRefused("sso_failed", f"The identity provider sent the browser back with an error: {shown}.")


def _unavailable() -> SignInRefused:
    return SignInRefused("sso_unavailable", "Single sign-on is not set up for this organization.")


def _expired() -> SignInRefused:
    return SignInRefused("sso_expired", "The attempt took too long, or was begun in another browser.")
