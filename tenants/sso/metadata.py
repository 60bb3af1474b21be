"""What an identity provider's SAML metadata says: who it is, where it signs people in, with which certificates."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core import egress
from gateway.core.errors import BadRequest, UpstreamError
from tenants.sso.errors import invalid

MOST_BYTES = 1024 * 1024
_TIMEOUTS = egress.Timeouts(connect=5, first_byte=8, stall=5, total=15)


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """The parts of a metadata document that a connection needs."""

    entity_id: str
    sso_url: str
    certificates: list[str]


async def fetch(url: str) -> bytes:
    """The document at an address. Raises BadRequest ``sso_metadata_unreachable`` with the reason."""
    try:
        async with egress.open("GET", url, {}, trusted=False, timeouts=_TIMEOUTS, max_body=MOST_BYTES) as response:
            body = await response.read()
    except UpstreamError as error:
        raise _unreachable(error.detail, error.code) from error
    if response.status != 200:
        raise _unreachable(f"It answers with status {response.status}.", "upstream_status")
    return body


def parse(document: bytes, *, pointer: str) -> IdentityProvider:
    """Read a document. Raises BadRequest ``sso_metadata_invalid``."""
    from lxml import etree  # noqa: PLC0415 - 10 MB that only whoever configures SAML needs
    from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser  # noqa: PLC0415

    try:
        found = OneLogin_Saml2_IdPMetadataParser.parse(document).get("idp", {})
    except (etree.XMLSyntaxError, ValueError) as error:
        raise invalid(pointer, f"is not SAML metadata ({type(error).__name__})", code="sso_metadata_invalid") from None
    entity_id, sso_url = found.get("entityId"), found.get("singleSignOnService", {}).get("url")
    several = found.get("x509certMulti", {}).get("signing", [])
    known = several or ([found["x509cert"]] if "x509cert" in found else [])
    if not entity_id or not sso_url or not known:
        missing = [
            name
            for name, value in (("entityID", entity_id), ("a redirect binding", sso_url), ("a certificate", known))
            if not value
        ]
        raise invalid(pointer, f"lacks {', '.join(missing)} of an identity provider", code="sso_metadata_invalid")
    return IdentityProvider(entity_id, sso_url, list(dict.fromkeys(known)))


def _unreachable(why: str, reason: str) -> BadRequest:
    return BadRequest(
        f"The metadata could not be fetched. {why}", code="sso_metadata_unreachable", extra={"reason": reason}
    )
