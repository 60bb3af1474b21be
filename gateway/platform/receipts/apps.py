from django.apps import AppConfig


class ReceiptsConfig(AppConfig):
    name = "gateway.platform.receipts"
    label = "gateway_receipts"
