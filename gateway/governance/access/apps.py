from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "gateway.governance.access"
    label = "gateway_access"
