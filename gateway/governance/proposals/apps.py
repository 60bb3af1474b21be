from django.apps import AppConfig


class ProposalsConfig(AppConfig):
    name = "gateway.governance.proposals"
    label = "gateway_proposals"

    def ready(self) -> None:
        """Let decided proposals reach the workers."""
        from gateway.governance.proposals import dispatch, tasks  # noqa: PLC0415 - rows exist only now

        dispatch.fill(tasks.send)
