from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "gateway.platform.ledger"
    label = "gateway_ledger"
