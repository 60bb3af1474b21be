"""The form of a connection: OpenID Connect or SAML, and the body of ``PUT /v1/sso`` that it becomes."""

from __future__ import annotations

import re
from typing import Any

from console.forms import Form
from console.gateway import ApiError

KINDS = {"oidc": "OpenID Connect", "saml": "SAML 2.0"}
ROLES = (
    ("viewer", "Viewer: looks on"),
    ("developer", "Developer: builds"),
    ("reviewer", "Reviewer: decides proposals"),
    ("billing", "Billing: plan and costs"),
)
_OIDC = ("issuer", "client_id", "client_secret")
_SAML = ("metadata_url", "metadata_xml", "entity_id", "sso_url", "certificates", "email_attribute", "name_attribute")
_NAMES = {"oidc": _OIDC, "saml": _SAML}
_SOURCES = ("metadata_url", "metadata_xml", "entity_id")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)


def form_of(request: Any, connection: dict[str, Any] | None) -> Form:
    """The form as it was sent; on a GET what is set up, with the fields of ``?kind=``."""
    if request.method != "POST":
        return stored(connection, request.GET.get("kind", ""))
    kind = _kind(request.POST.get("kind", ""))
    form = Form.of(request, *_NAMES[kind], "kind", "default_role", "require_email_verified")
    form.values["kind"] = kind
    return form


def stored(connection: dict[str, Any] | None, kind: str = "") -> Form:
    """The form as the connection is, without its secret and its certificates: those are only ever written."""
    known = connection or {}
    kind = _kind(kind or known.get("kind", ""))
    set_up = known.get(kind) or {}
    values = {name: set_up.get(name) or "" for name in _NAMES[kind]} | {"certificates": "", "client_secret": ""}
    if set_up.get("metadata_url"):
        values |= {"entity_id": "", "sso_url": ""}  # they came from there, and will again
    verified = "" if set_up.get("require_email_verified") is False else "1"
    role = known.get("default_role") or "viewer"
    return Form({**values, "kind": kind, "default_role": role, "require_email_verified": verified})


def body_of(form: Form) -> dict[str, Any]:
    """What goes to the API; noted on the form when that cannot be said. An empty secret keeps the stored one."""
    values = form.values
    kind = values["kind"]
    given: dict[str, Any] = {name: values[name] for name in _NAMES[kind] if values[name]}
    if kind == "oidc":
        given["require_email_verified"] = values["require_email_verified"] == "1"
    else:
        if len([name for name in _SOURCES if name in given]) != 1:
            form.add("metadata_url", "Give one of the three: the metadata's address, its XML, or the values by hand.")
        if "certificates" in given:
            given["certificates"] = _CERTIFICATE.findall(given["certificates"]) or [given["certificates"]]
    return {"kind": kind, kind: given, "default_role": values["default_role"]}


def takes(form: Form, error: ApiError) -> bool:
    """The API's refusal at its field: ``#/oidc/issuer`` is the field ``issuer``, ``#/saml/certificates/0`` the list."""
    if error.status not in {400, 409, 422}:
        return False
    for problem in error.problems:
        segments = problem.pointer.removeprefix("#").strip("/").split("/")
        form.add(next((one for one in reversed(segments) if one in form), None), problem.message)
    if form.ok:
        name = {"sso_issuer_invalid": "issuer", "sso_secret_missing": "client_secret"}.get(error.code)
        form.add(name or ("metadata_url" if error.code.startswith("sso_metadata") else None), error.detail)
    return True


def _kind(asked: str) -> str:
    return asked if asked in KINDS else "oidc"
