"""``email.draft``: a message that a person sends. Nothing leaves: the approved draft is kept as the proposal's result
and can be downloaded as an RFC 5322 message, which every mail program opens as a draft (``X-Unsent: 1``).
"""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from gateway.core import clock
from gateway.core.errors import BadRequest
from gateway.core.plain import clean
from gateway.governance.proposals import registry
from gateway.governance.proposals.errors import DraftGone, NoDraft
from gateway.governance.proposals.types import Draft, Effect, Proposal, State

TYPE = "email.draft"
_ADDRESS: dict[str, Any] = {
    "type": "string",
    "maxLength": 254,
    "pattern": "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    "(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+$",
}
_LINE: dict[str, Any] = {"type": "string", "maxLength": 300, "pattern": "^[^\\r\\n\\u0000]*$"}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "email.draft",
    "description": "Write an e-mail for somebody to look over and send.",
    "type": "object",
    "additionalProperties": False,
    "required": ["to", "subject", "body"],
    "properties": {
        "to": {"type": "array", "minItems": 1, "maxItems": 50, "items": _ADDRESS},
        "cc": {"type": "array", "maxItems": 50, "items": _ADDRESS},
        "subject": _LINE,
        "body": {"type": "string", "maxLength": 32_000, "description": "Plain text."},
    },
}


def keep(proposal: Proposal) -> Effect:
    """Keep the draft as it will be downloaded."""
    message = _message(proposal.payload, proposal.public_id)
    text = message.as_bytes(policy=SMTP).decode("utf-8")
    return Effect(
        {
            "message_id": message["Message-ID"],
            "download": f"/v1/proposals/{proposal.public_id}/draft.eml",
            "eml": text,
        }
    )


def discard(proposal: Proposal) -> dict[str, Any]:
    """A draft that is taken back is not handed out any more."""
    return {"discarded": True}


def eml(proposal: Proposal) -> bytes:
    """The message. Raises NoDraft for another proposal or one not carried out, DraftGone for one taken back."""
    if proposal.type != TYPE or proposal.state is not State.EXECUTED or proposal.result is None:
        raise NoDraft("This proposal holds no draft that could be downloaded.")
    if proposal.compensation is not None and proposal.compensation.state == "done":
        raise DraftGone("The draft was taken back.")
    return str(proposal.result["eml"]).encode()


def check(draft: Draft) -> None:
    """Raise BadRequest for what is no message."""
    _message(draft.payload, "draft").as_bytes(policy=SMTP)


def _message(payload: dict[str, Any], name: str) -> EmailMessage:
    message = EmailMessage()
    try:
        message["To"] = ", ".join(payload["to"])
        if payload.get("cc"):
            message["Cc"] = ", ".join(payload["cc"])
        message["Subject"] = clean(payload["subject"])
        message["Date"] = format_datetime(clock.now())
        message["Message-ID"] = f"<{name}@ikiro>"
        message["X-Unsent"] = "1"
        message.set_content(clean(payload["body"]), cte="quoted-printable")
    except ValueError as error:
        raise BadRequest(f"The draft is no message: {error}.", code="invalid_draft") from None
    return message


EXECUTOR = registry.Executor(type=TYPE, schema=SCHEMA, run=keep, undo=discard, check=check, withdrawn=("eml",))
