"""Masking of personal data and secrets, in whole texts and in streams. Pure.

``default`` masks payment cards, IBANs, national identity numbers, API keys, tokens, private keys and passwords in
URLs; ``strict`` also e-mail addresses, phone numbers and IP addresses; ``off`` nothing. A mask is ``[card]``,
``[email]``, … . What has no recognizable form (a password in prose, a name) is not found.
"""

from gateway.governance.policies.redaction.stream import StreamRedactor, redact
from gateway.governance.policies.redaction.values import each_text, redact_value

__all__ = ["StreamRedactor", "each_text", "redact", "redact_value"]
