"""SAML 2.0: the request that sends somebody to the identity provider, and the answer that comes back.

python3-saml checks the signature, the schema, the issuer and the times. What it leaves to others is checked here: the
audience must be named, the confirmation must be for exactly our address and, under the signature, for the very request
that this browser sent; and an assertion counts once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gateway.core.errors import GatewayError
from tenants.sso import addresses, store
from tenants.sso.errors import SignInRefused
from tenants.sso.types import Assertion, Connection

_CONFIRMATION = (
    "/saml:Subject/saml:SubjectConfirmation[@Method='urn:oasis:names:tc:SAML:2.0:cm:bearer']"
    "/saml:SubjectConfirmationData"
)
_TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_EMAIL_NAMES = (
    "email", "mail", "emailAddress", "urn:oid:0.9.2342.19200300.100.1.3",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
)  # fmt: skip
_NAME_NAMES = (
    "displayName", "name", "urn:oid:2.16.840.1.113730.3.1.241",
    "http://schemas.microsoft.com/identity/claims/displayname",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
)  # fmt: skip
_VERIFIED_NAMES = ("email_verified", "http://schemas.auth0.com/email_verified")
_KEPT_AT_LEAST_S, _KEPT_AT_MOST_S = 900, 86_400
_MOST_UID = 191


@dataclass(frozen=True, slots=True)
class Answer:
    """A verified answer and the id of the request that it answers."""

    assertion: Assertion
    in_response_to: str


def begin(connection: Connection) -> tuple[str, str]:
    """Where to send the browser, and the id of the request it carries."""
    from onelogin.saml2.auth import OneLogin_Saml2_Auth  # noqa: PLC0415 - loads xmlsec, which most processes never need

    auth = OneLogin_Saml2_Auth(_request(connection.slug), _settings(connection))
    url = auth.login(return_to="")
    return str(url), str(auth.get_last_request_id())


def read(connection: Connection, encoded: str) -> Answer:
    """Verify an answer. Raises SignInRefused ``sso_failed`` with what is wrong, or ``sso_cancelled``."""
    from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError  # noqa: PLC0415
    from onelogin.saml2.response import OneLogin_Saml2_Response  # noqa: PLC0415
    from onelogin.saml2.settings import OneLogin_Saml2_Settings  # noqa: PLC0415

    try:
        response = OneLogin_Saml2_Response(OneLogin_Saml2_Settings(_settings(connection)), encoded)
        response.is_valid(_request(connection.slug), raise_exceptions=True)
        return _checked(connection, response)
    except (SignInRefused, GatewayError):
        raise
    except (OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError) as error:
        if getattr(error, "code", None) == OneLogin_Saml2_ValidationError.STATUS_CODE_IS_NOT_SUCCESS:
            raise SignInRefused("sso_cancelled", str(error)) from error
        raise _failed(str(error)) from error
    except Exception as error:  # the parser has many ways to refuse; none of them may become anything but a refusal
        raise _failed(f"The answer could not be read ({type(error).__name__}).") from error


def unverified_request_id(encoded: str) -> str:
    """The request that an answer claims to answer, only to find the attempt that its failure belongs to."""
    from onelogin.saml2.utils import OneLogin_Saml2_Utils  # noqa: PLC0415
    from onelogin.saml2.xml_utils import OneLogin_Saml2_XML  # noqa: PLC0415

    try:
        document = OneLogin_Saml2_XML.to_etree(OneLogin_Saml2_Utils.b64decode(encoded))
        return str(document.get("InResponseTo") or "")[:100]
    except Exception:  # noqa: BLE001 - whatever it is, it names no request
        return ""


def metadata(slug: str) -> bytes:
    """Our own metadata for an organization's identity provider."""
    from onelogin.saml2.settings import OneLogin_Saml2_Settings  # noqa: PLC0415

    made = OneLogin_Saml2_Settings({"strict": True, "sp": _ourselves(slug)}, sp_validation_only=True)
    text = made.get_sp_metadata()
    return text if isinstance(text, bytes) else str(text).encode()


def _checked(connection: Connection, response: Any) -> Answer:
    ours = addresses.of(connection.slug)
    if ours["entity_id"] not in response.get_audiences():
        raise _failed("The assertion names no audience.")
    in_response_to = _confirmed_request(response, ours["acs_url"])
    until = response.get_assertion_not_on_or_after()
    if until is None:
        raise _failed("The assertion's confirmation does not end.")
    left = int(until - datetime.now(UTC).timestamp())
    kept = min(max(left, 0) + _KEPT_AT_LEAST_S, _KEPT_AT_MOST_S)
    if not store.first_time("assertion", f"{connection.id}:{response.get_assertion_id()}", kept):
        raise _failed("This assertion was used before.")
    return Answer(_assertion(connection, response), in_response_to)


def _confirmed_request(response: Any, acs_url: str) -> str:
    """The request that the (single, signed) assertion itself is for. An answer nobody asked for is refused."""
    # The library's own way into the assertion that is signed: elements of that name may stand anywhere else.
    for data in response._query_assertion(_CONFIRMATION):
        if data.get("InResponseTo") and data.get("Recipient") == acs_url and data.get("NotOnOrAfter"):
            if data.get("InResponseTo") != response.get_in_response_to():
                raise _failed("The answer and its assertion are for different requests.")
            return str(data.get("InResponseTo"))
    raise _failed("The assertion does not say for which request of ours and for which address it is.")


def _assertion(connection: Connection, response: Any) -> Assertion:
    attributes: dict[str, list[Any]] = response.get_attributes()
    name_id, wanted = response.get_nameid() or "", connection.settings
    email = _first(attributes, (wanted["email_attribute"],) if wanted.get("email_attribute") else _EMAIL_NAMES)
    if not email and not wanted.get("email_attribute") and "@" in name_id:
        email = name_id
    uid = name_id if name_id and response.get_nameid_format() != _TRANSIENT else email.lower()
    if len(uid) > _MOST_UID:
        uid = hashlib.sha256(uid.encode()).hexdigest()
    said = _first(attributes, _VERIFIED_NAMES).lower()
    return Assertion(
        uid=uid,
        email=email,
        email_verified=None if not said else said in ("true", "1", "yes"),
        name=_first(attributes, (wanted["name_attribute"],) if wanted.get("name_attribute") else _NAME_NAMES),
        claims={"NameID": name_id, **{name: [str(one) for one in found] for name, found in attributes.items()}},
    )


def _first(attributes: dict[str, list[Any]], names: tuple[str, ...]) -> str:
    return next((str(attributes[name][0]).strip() for name in names if attributes.get(name)), "")


def _request(slug: str) -> dict[str, Any]:
    """The request as our own settings say it is: no header of the caller decides what is compared."""
    ours = urlsplit(addresses.of(slug)["acs_url"])
    return {
        "https": "on" if ours.scheme == "https" else "off",
        "http_host": ours.netloc,
        "script_name": ours.path,
        "get_data": {},
        "post_data": {},
    }


def _settings(connection: Connection) -> dict[str, Any]:
    known = connection.settings
    return {
        "strict": True,
        "sp": _ourselves(connection.slug),
        "idp": {
            "entityId": known["entity_id"],
            "singleSignOnService": {"url": known["sso_url"]},
            "x509certMulti": {"signing": known["certificates"]},
        },
        "security": {
            "requestedAuthnContext": False,
            "wantNameId": False,
            "wantAttributeStatement": False,
            "allowRepeatAttributeName": True,
            "rejectDeprecatedAlgorithm": True,
            "allowSingleLabelDomains": True,
        },
    }


def _ourselves(slug: str) -> dict[str, Any]:
    ours = addresses.of(slug)
    return {"entityId": ours["entity_id"], "assertionConsumerService": {"url": ours["acs_url"]}}


def _failed(detail: str) -> SignInRefused:
    return SignInRefused("sso_failed", detail)
