from django.apps import AppConfig


class PersonasConfig(AppConfig):
    name = "gateway.knowledge.personas"
    label = "gateway_personas"
