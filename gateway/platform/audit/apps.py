from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "gateway.platform.audit"
    label = "gateway_audit"

    def ready(self) -> None:
        """Fill the journal's port: from here on every recorded change leaves its entry and its events."""
        from gateway.core.journal import fill  # noqa: PLC0415
        from gateway.platform.audit.services import journal  # noqa: PLC0415 - rows exist only now

        fill(journal)
