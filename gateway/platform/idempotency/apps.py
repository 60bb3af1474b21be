from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    name = "gateway.platform.idempotency"
    label = "gateway_idempotency"
