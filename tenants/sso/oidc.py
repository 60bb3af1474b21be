"""OpenID Connect: the code flow with PKCE, state and nonce, over allauth's client.

Allauth's own adapter trusts an ID token that came straight from the token endpoint without looking at its signature,
and knows no nonce. Here every ID token is verified against the issuer's keys, for our client, for this very attempt.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import HttpRequest

from gateway.core.egress.requests_adapter import EgressFailed, RequestFailed
from gateway.core.plain import clean
from tenants.sso import addresses
from tenants.sso.configuration import unusable
from tenants.sso.errors import SignInRefused
from tenants.sso.types import Assertion, Connection

if TYPE_CHECKING:
    from tenants.sso.provider import OrganizationOidc

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LEEWAY_S = 60
_MOST_UID = 191
_ERROR = re.compile(r'"error"\s*:\s*"([\w.-]{1,60})"')


class ConnectionAdapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """Allauth's adapter for one connection, without its shortcuts."""

    def __init__(self, request: HttpRequest, provider: OrganizationOidc) -> None:
        super().__init__(request, provider.app.provider_id)
        self._provider = provider

    def get_provider(self) -> OrganizationOidc:
        return self._provider

    def get_callback_url(self, request: HttpRequest, app: Any) -> str:
        return addresses.of(app.settings["organization"])["redirect_uri"]

    @cached_property
    def openid_config(self) -> dict[str, Any]:
        """The issuer's own description, for exactly the issuer that was configured. Raises SignInRefused."""
        found = self._fetch(self._provider.server_url, "the issuer's configuration")
        wanted = str(self._provider.app.settings["issuer"])
        if str(found.get("issuer", "")).rstrip("/") != wanted.rstrip("/"):
            raise _failed(f"The issuer calls itself {str(found.get('issuer'))[:200]!r}, not {wanted!r}.")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            problem = unusable(str(found.get(name, "")))
            if problem:
                raise _failed(f"The issuer's {name} cannot be used: {problem}")
        return found

    def assertion(self, state: dict[str, Any], nonce: str) -> Assertion:
        """Trade the code that the browser brought and verify what comes for it. Raises SignInRefused."""
        app = self._provider.app
        try:
            client = self.get_client(self.request, app)
            data = self.get_access_token_data(
                self.request, app, client, pkce_code_verifier=state.get("pkce_code_verifier")
            )
        except OAuth2Error as error:
            said = _ERROR.search(str(error))
            raise _failed(f"The issuer did not take the code: {said[1] if said else 'no token came'}.") from error
        except RequestFailed as error:
            raise _unreachable("the token endpoint", error) from error
        except (KeyError, ValueError) as error:
            raise _failed("The token endpoint's answer could not be read.") from error
        claims = self._verified(str(data.get("id_token") or ""), nonce)
        if not claims.get("email") and self.openid_config.get("userinfo_endpoint"):
            claims = self._with_userinfo(claims, str(data["access_token"]))
        return _assertion(claims)

    def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        keys = self._fetch(self.openid_config["jwks_uri"], "the issuer's keys")
        client_id = self._provider.app.client_id
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in _ALGORITHMS:
                raise _failed("The ID token is not signed with an algorithm that can be checked.")
            claims: dict[str, Any] = jwt.decode(
                token,
                _key(keys, header),
                algorithms=[header["alg"]],
                audience=client_id,
                issuer=self.openid_config["issuer"],
                leeway=_LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise _failed(f"The ID token is not valid: {error}.") from error
        if claims.get("nonce") != nonce:
            raise _failed("The ID token is for another attempt (nonce).")
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
            raise _failed("The ID token was made for another client.")
        return claims

    def _with_userinfo(self, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
        found = self._fetch(str(self.openid_config["userinfo_endpoint"]), "the userinfo endpoint", bearer=access_token)
        if found.get("sub") != claims["sub"]:
            raise _failed("The userinfo endpoint speaks of somebody else than the ID token.")
        return {**found, **claims}

    def _fetch(self, url: str, what: str, bearer: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        try:
            with get_adapter().get_requests_session() as session:
                answer = session.get(url, headers=headers)
                answer.raise_for_status()
                found = answer.json()
        except RequestFailed as error:
            raise _unreachable(what, error) from error
        except ValueError as error:
            raise _failed(f"{what.capitalize()} is not JSON.") from error
        if not isinstance(found, dict):
            raise _failed(f"{what.capitalize()} is not a JSON object.")
        return found


def check_issuer(connection: Connection, said: str | None) -> None:
    """RFC 9207: an answer that names another issuer is not for us. Raises SignInRefused."""
    if said is not None and said.rstrip("/") != connection.settings["issuer"].rstrip("/"):
        raise _failed("The answer comes from another issuer.")


def _key(keys: dict[str, Any], header: dict[str, Any]) -> Any:
    """The public key that the token names; without a name, the only one there is."""
    known = [one for one in keys.get("keys", []) if isinstance(one, dict) and one.get("use", "sig") == "sig"]
    kid = header.get("kid")
    named = [one for one in known if one.get("kid") == kid] if kid is not None else known
    if len(named) != 1 or named[0].get("kty") == "oct":
        raise _failed("The ID token is signed with a key that the issuer does not publish.")
    return jwt.PyJWK.from_json(json.dumps(named[0]), algorithm=header["alg"]).key


def _assertion(claims: dict[str, Any]) -> Assertion:
    uid, said = clean(str(claims["sub"])), claims.get("email_verified")
    if not 1 <= len(uid) <= _MOST_UID:
        raise _failed("The issuer names the person with an id that is empty or too long.")
    return Assertion(
        uid=uid,
        email=str(claims.get("email") or "").strip(),
        email_verified=None if said is None else str(said).lower() == "true",
        name=str(claims.get("name") or "").strip(),
        claims=claims,
    )


def _unreachable(what: str, error: RequestFailed) -> SignInRefused:
    if isinstance(error, EgressFailed):
        where = urlsplit(str(error.request.url or "")).hostname if error.request is not None else None
        reason = f"{error.error.detail.rstrip('.')} ({error.error.code})."
        return SignInRefused("sso_provider_unreachable", f"No answer from {what} at {where}: {reason}")
    return SignInRefused("sso_provider_unreachable", f"No usable answer from {what}: {error}"[:300])


def _failed(detail: str) -> SignInRefused:
    return SignInRefused("sso_failed", detail)
