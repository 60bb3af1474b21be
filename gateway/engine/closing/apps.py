from django.apps import AppConfig


class ClosingConfig(AppConfig):
    name = "gateway.engine.closing"
    label = "gateway_closing"

    def ready(self) -> None:
        """Register the export with the operations."""
        from gateway.engine.closing import exporting  # noqa: F401, PLC0415 - importing registers the runner
