"""Names of mail domains: one spelling for each, and those that nobody can claim."""

from __future__ import annotations

import re

from tenants.sso.errors import invalid

_DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")
# Where anybody can have an address. Proving one of these would let an organization speak for strangers.
PUBLIC_MAIL = frozenset(
    {
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com",
        "ymail.com", "aol.com", "icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com", "pm.me",
        "gmx.com", "gmx.de", "gmx.net", "web.de", "mail.com", "mail.ru", "yandex.ru", "yandex.com", "zoho.com",
        "fastmail.com", "hey.com", "tutanota.com", "tuta.com", "qq.com", "163.com", "126.com", "naver.com",
    }
)  # fmt: skip


def normal(domain: str) -> str | None:
    """The ASCII form in lower case, without a trailing dot; None for what names no mail domain."""
    text = domain.strip().lower().rstrip(".")
    try:
        text = text.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return text if _DOMAIN.match(text) else None


def claimable(domain: str) -> str:
    """The domain as it is stored. Raises BadRequest ``invalid_domain`` or ``public_mail_domain``."""
    found = normal(domain)
    if found is None:
        raise invalid("domain", "a domain name like acme.example", code="invalid_domain")
    if found in PUBLIC_MAIL:
        raise invalid("domain", f"anybody can have an address at {found}", code="public_mail_domain")
    return found


def of_address(email: str) -> str | None:
    """The domain of an e-mail address; None when it has none."""
    local, at, domain = email.strip().rpartition("@")
    return normal(domain) if at and local else None
