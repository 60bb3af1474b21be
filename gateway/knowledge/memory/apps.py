from django.apps import AppConfig


class MemoryConfig(AppConfig):
    name = "gateway.knowledge.memory"
    label = "gateway_memory"

    def ready(self) -> None:
        """Make memory known to proposals (what an approved one does) and to operations (imports)."""
        from gateway.knowledge.memory import executor, imports  # noqa: F401, PLC0415 - importing registers the runner

        executor.register()
