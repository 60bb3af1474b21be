from django.apps import AppConfig


class RequestsConfig(AppConfig):
    name = "gateway.platform.requests"
    label = "gateway_requests"
