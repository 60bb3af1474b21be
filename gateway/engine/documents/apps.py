from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "gateway.engine.documents"
    label = "gateway_documents"

    def ready(self) -> None:
        from gateway.engine.documents import running  # noqa: F401, PLC0415 - importing registers the runners
