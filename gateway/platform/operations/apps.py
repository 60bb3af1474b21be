from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "gateway.platform.operations"
    label = "gateway_operations"

    def ready(self) -> None:
        """Let started operations reach the workers."""
        from gateway.platform.operations import dispatch, tasks  # noqa: PLC0415 - rows exist only now

        dispatch.fill(tasks.send)
