from django.apps import AppConfig


class ProposalsConfig(AppConfig):
    name = "gateway.governance.proposals"
    label = "gateway_proposals"

    def ready(self) -> None:
        """Let decided proposals reach the workers, and the types that need no other slice be carried out."""
        from gateway.governance.proposals import dispatch, registry, tasks  # noqa: PLC0415 - rows exist only now
        from gateway.governance.proposals.executors import calendar, email, webhook  # noqa: PLC0415

        dispatch.fill(tasks.send)
        for module in (calendar, email, webhook):
            registry.register(module.EXECUTOR)
