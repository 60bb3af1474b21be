from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "gateway.platform.billing"
    label = "gateway_billing"

    def ready(self) -> None:
        """Refuse to start with a payment that nobody wrote; let workers find the runner of imports."""
        from gateway.platform.billing import payment, reconciliation  # noqa: F401, PLC0415 - rows exist only now

        payment.configured()
