"""A provider's own account of what it billed, beside the ledger's: imported, compared, kept."""

from __future__ import annotations

from gateway.platform.billing.reconciliation.running import INLINE_BYTES, get, import_export, list_page

__all__ = ["INLINE_BYTES", "get", "import_export", "list_page"]
