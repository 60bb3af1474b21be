"""What the running product mailed."""

from __future__ import annotations

import email
from pathlib import Path

from tests.harness import Gateway


def mails_to(gateway: Gateway, address: str) -> list[tuple[str, str]]:
    """(subject, text) of each mail to an address so far, the oldest first."""
    found = []
    for file in sorted(Path(gateway.env["IKIRO_MAIL_DIR"]).glob("*"), key=lambda one: one.stat().st_mtime):
        for raw in file.read_bytes().split(b"\n" + b"-" * 79 + b"\n"):
            message = email.message_from_bytes(raw)
            if message["To"] == address:
                found.append((str(message["Subject"]), str(message.get_payload(decode=True), "utf-8")))
    return found
