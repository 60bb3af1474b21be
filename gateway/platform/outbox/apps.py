from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "gateway.platform.outbox"
    label = "gateway_outbox"
