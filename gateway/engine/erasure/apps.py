from django.apps import AppConfig


class ErasureConfig(AppConfig):
    name = "gateway.engine.erasure"
    label = "gateway_erasure"

    def ready(self) -> None:
        """Register the parts of a subject's data, and the erasure with the operations."""
        from gateway.engine.erasure import parts, running  # noqa: F401, PLC0415 - importing registers the runner

        parts.register()
