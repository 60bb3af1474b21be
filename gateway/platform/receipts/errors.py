"""What can be wrong with asking for a receipt."""

from __future__ import annotations

from gateway.core.errors import NotFound


class ReceiptNotFound(NotFound):
    default_code = "receipt_not_found"
