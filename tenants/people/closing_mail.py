"""Word to every owner that their organization is to be deleted, or no longer is: whoever asked may not have been who
they said they were. Written by a worker, so a slow mail server holds up nobody."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage

from tenants.celery import public_task
from tenants.models import MembershipRow, OrganizationRow, User
from tenants.people.roles import Role

_ASKED = """{who} asked for {organization} to be deleted, with all that is in it.

Its keys no longer work. On {closes:%d %B %Y at %H:%M} UTC everything is deleted for good; until then any owner can take
that back, and export what there is, here:

{console}

If this was not meant, take it back now and see who can sign in as an owner.
"""
_TAKEN_BACK = """The deletion of {organization} was taken back. Its keys work again, and nothing was deleted.

{console}
"""


@public_task(name="tenants.closing_mail")
def tell_owners(org_id: str, asked_at: str | None) -> None:
    """Tell all owners how it stands. ``asked_at`` is the request this is about, None where it was taken back; when
    that is no longer how it stands, another mail says so."""
    row = OrganizationRow.objects.filter(pk=UUID(org_id)).first()
    if row is None or row.closing_at != (datetime.fromisoformat(asked_at) if asked_at else None):
        return
    who = User.objects.filter(pk=row.closing_by).first() if row.closing_by else None
    facts = {
        "who": (who.name or who.email) if who else "An owner",
        "organization": row.name,
        "closes": row.closes_at,
        "console": settings.IKIRO_CONSOLE_URL,
    }
    text = _ASKED if asked_at else _TAKEN_BACK
    what = "is to be deleted" if asked_at else "is not deleted"
    subject = " ".join(f"{row.name} on Ikiro {what}".split())  # a name must not bring a header of its own
    owners = MembershipRow.objects.filter(organization_id=row.pk, role=Role.OWNER, removed_at=None)
    for address in owners.values_list("user__email", flat=True):
        EmailMessage(subject, text.format(**facts), None, [address]).send()
