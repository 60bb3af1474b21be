from django.apps import AppConfig


class ConsistencyConfig(AppConfig):
    name = "gateway.engine.consistency"
    label = "gateway_consistency"

    def ready(self) -> None:
        from gateway.engine.consistency import requiring, running  # noqa: F401, PLC0415 - registers runner and gate

        requiring.register()
