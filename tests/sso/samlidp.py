"""A SAML identity provider: real requests read, real responses signed, and the forgeries that must not pass."""

from __future__ import annotations

import base64
import copy
import secrets
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import XMLSigner
from signxml.algorithms import CanonicalizationMethod

SAML, SAMLP = "urn:oasis:names:tc:SAML:2.0:assertion", "urn:oasis:names:tc:SAML:2.0:protocol"
_NS = {"saml": SAML, "samlp": SAMLP, "ds": "http://www.w3.org/2000/09/xmldsig#"}


@dataclass(frozen=True)
class Asked:
    """What a request of ours says."""

    id: str
    acs_url: str
    issuer: str


class SamlProvider:
    """``entity_id`` and one signing key."""

    def __init__(self, name: str) -> None:
        self.entity_id = f"https://idp.{name}.example/saml"
        self.sso_url = f"https://idp.{name}.example/sso"

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def certificate(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, urlsplit(self.entity_id).hostname or "")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .sign(self.key, hashes.SHA256())
        )
        return made.public_bytes(Encoding.PEM).decode()

    def metadata(self) -> str:
        body = "".join(self.certificate.strip().splitlines()[1:-1])
        return (
            f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{self.entity_id}">'
            '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            '<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>'
            f"<ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"'
            f' Location="{self.sso_url}"/></md:IDPSSODescriptor></md:EntityDescriptor>'
        )

    def response(
        self, asked: Asked, email: str, *, uid: str = "", audience: str | None = "", in_response_to: str = "",
        age_s: int = 0, recipient: str = "", attributes: dict[str, str] | None = None, sign: str = "assertion",
        key: rsa.RSAPrivateKey | None = None, name_id_format: str = "persistent",
    ) -> etree._Element:  # fmt: skip
        """A response to a request; each parameter changes one thing of a good one."""
        now = datetime.now(UTC) - timedelta(seconds=age_s)
        at, until = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (now, now + timedelta(seconds=120)))
        to = in_response_to or asked.id
        shown = {"email": email, "displayName": "Member", **(attributes or {})}
        restriction = (
            f"<saml:AudienceRestriction><saml:Audience>{audience or asked.issuer}</saml:Audience>"
            "</saml:AudienceRestriction>"
        )
        irt = f' InResponseTo="{to}"' if to != "none" else ""
        text = f"""<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_{secrets.token_hex(16)}"
 Version="2.0" IssueInstant="{at}" Destination="{asked.acs_url}"{irt}><saml:Issuer>{self.entity_id}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
<saml:Assertion ID="_{secrets.token_hex(16)}" Version="2.0" IssueInstant="{at}">
<saml:Issuer>{self.entity_id}</saml:Issuer>
<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:{name_id_format}">{uid or "id-" + email}
</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData
 NotOnOrAfter="{until}" Recipient="{recipient or asked.acs_url}"{irt}/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{at}" NotOnOrAfter="{until}">{restriction if audience is not None else ""}</saml:Conditions>
<saml:AuthnStatement AuthnInstant="{at}"><saml:AuthnContext><saml:AuthnContextClassRef
>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement>{"".join(_attribute(*one) for one in shown.items())}</saml:AttributeStatement>
</saml:Assertion></samlp:Response>""".replace("\n", "")
        made = etree.fromstring(text)
        if sign == "assertion":
            assertion = made.find("saml:Assertion", _NS)
            made.replace(assertion, self.sign(assertion, key or self.key))
        elif sign == "response":
            made = self.sign(made, key or self.key)
        return made

    def sign(self, element: etree._Element, key: rsa.RSAPrivateKey) -> etree._Element:
        element = copy.deepcopy(element)
        # The schema wants the signature right after the issuer.
        place = etree.SubElement(element, f"{{{_NS['ds']}}}Signature", nsmap={"ds": _NS["ds"]}, Id="placeholder")
        element.insert(1, place)
        signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return signer.sign(element, key=pem, cert=self.certificate, reference_uri=element.get("ID"))

    def wrapped(self, asked: Asked, email: str, victim: str, *, where: str) -> etree._Element:
        """Signature wrapping: the genuine, signed assertion is kept where the signature still finds it, and one for
        somebody else stands where it is read."""
        if where == "confirmation":
            return self._confirmed_outside(asked, email)
        made = self.response(asked, email)
        genuine = made.find("saml:Assertion", _NS)
        forged = copy.deepcopy(genuine)
        forged.remove(forged.find("ds:Signature", _NS))
        forged.set("ID", "_forged")
        for value in forged.iterfind(".//saml:AttributeValue", _NS):
            if value.text == email:
                value.text = victim
        forged.find(".//saml:NameID", _NS).text = victim
        made.remove(genuine)
        if where == "extensions":
            extensions = etree.Element(f"{{{SAMLP}}}Extensions")
            extensions.append(genuine)
            made.insert(1, extensions)
            made.append(forged)
        elif where == "signature":
            signature = copy.deepcopy(genuine.find("ds:Signature", _NS))
            genuine.remove(genuine.find("ds:Signature", _NS))
            holder = etree.SubElement(signature, f"{{{_NS['ds']}}}Object")
            holder.append(genuine)
            forged.insert(1, signature)
            made.append(forged)
        else:
            made.append(forged)
            made.append(genuine)
        return made

    def _confirmed_outside(self, asked: Asked, email: str) -> etree._Element:
        """An assertion that nobody asked for, with a confirmation for our request beside what is signed."""
        made = self.response(asked, email, in_response_to="none", recipient="https://globex.example/acs/")
        made.set("InResponseTo", asked.id)
        extensions = etree.Element(f"{{{SAMLP}}}Extensions")
        subject = etree.SubElement(extensions, f"{{{SAML}}}Subject")
        confirmation = etree.SubElement(subject, f"{{{SAML}}}SubjectConfirmation")
        confirmation.set("Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer")
        etree.SubElement(
            confirmation, f"{{{SAML}}}SubjectConfirmationData", InResponseTo=asked.id, Recipient=asked.acs_url,
            NotOnOrAfter="2099-01-01T00:00:00Z",
        )  # fmt: skip
        made.insert(1, extensions)
        return made


def read_request(url: str) -> Asked:
    """The request that a redirect carries."""
    encoded = parse_qs(urlsplit(url).query)["SAMLRequest"][0]
    document = etree.fromstring(zlib.decompress(base64.b64decode(encoded), -15))
    issuer = document.findtext("saml:Issuer", namespaces=_NS)
    return Asked(document.get("ID"), document.get("AssertionConsumerServiceURL"), issuer or "")


def encoded(response: etree._Element) -> str:
    return base64.b64encode(etree.tostring(response)).decode()


def _attribute(name: str, value: Any) -> str:
    return (
        f'<saml:Attribute Name="{name}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic">'
        f"<saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>"
    )
