"""What can be wrong with asking for an export."""

from __future__ import annotations

from gateway.core.errors import Conflict, Gone


class ExportNotReady(Conflict):
    default_code = "export_not_ready"


class ExportGone(Gone):
    default_code = "export_gone"
