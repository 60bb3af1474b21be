"""The invitation's mail, written by a worker: a mail server that is slow or away holds up nobody's request."""

from __future__ import annotations

from uuid import UUID

from django.core.mail import send_mail

from gateway.core import clock
from tenants.celery import public_task
from tenants.models import InvitationRow, User
from tenants.people.links import url_of

_SUBJECT = "Join {organization} on Ikiro"
_TEXT = """{inviter} invites you to join {organization} as {role}.

Open this link to accept. It works once, until {until:%d %B %Y, %H:%M} UTC, and only for {email}.

{url}

If you do not know what this is about, ignore this mail: nothing happens without the link.
"""


@public_task(name="tenants.invitation_mail")
def send_invitation(invitation_id: str) -> None:
    """Send one invitation's mail, unless it ended meanwhile."""
    row = InvitationRow.objects.select_related("organization").filter(pk=UUID(invitation_id)).first()
    if row is None or row.accepted_at or row.revoked_at or row.expires_at <= clock.now():
        return
    inviter = User.objects.filter(pk=row.invited_by_user_id).first()
    facts = {
        "organization": row.organization.name,
        "inviter": (inviter.name or inviter.email) if inviter else "Somebody",
        "role": row.role,
        "until": row.expires_at,
        "email": row.email,
        "url": url_of(row.id),
    }
    subject = " ".join(_SUBJECT.format(**facts).split())  # a name must not bring a header of its own
    send_mail(subject, _TEXT.format(**facts), None, [row.email])
