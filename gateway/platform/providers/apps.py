from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    name = "gateway.platform.providers"
    label = "gateway_providers"
