from django.apps import AppConfig


class ExperimentsConfig(AppConfig):
    name = "gateway.engine.experiments"
    label = "gateway_experiments"
