from django.apps import AppConfig


class SubjectsConfig(AppConfig):
    name = "gateway.knowledge.subjects"
    label = "gateway_subjects"

    def ready(self) -> None:
        """Let what stands below ask for a subject's teams."""
        from gateway.governance.access import teams  # noqa: PLC0415 - rows exist only now
        from gateway.knowledge.subjects import teams as told  # noqa: PLC0415

        teams.fill(told.of)
