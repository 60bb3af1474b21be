from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    name = "gateway.governance.policies"
    label = "gateway_policies"

    def ready(self) -> None:
        """Let what keeps bodies ask for how long they may be kept by now."""
        from gateway.governance.policies import selectors  # noqa: PLC0415 - rows exist only now
        from gateway.platform.requests import bounds  # noqa: PLC0415

        bounds.fill(selectors.body_bounds)
