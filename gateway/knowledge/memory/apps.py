from django.apps import AppConfig


class MemoryConfig(AppConfig):
    name = "gateway.knowledge.memory"
    label = "gateway_memory"

    def ready(self) -> None:
        """Make memory known to proposals (what an approved one does), to operations (imports) and to workers."""
        from gateway.knowledge.memory import (  # noqa: PLC0415 - importing registers the runner
            embedding_tasks,  # noqa: F401
            executor,
            imports,  # noqa: F401
        )

        executor.register()
