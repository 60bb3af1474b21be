from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "gateway.platform.events"
    label = "gateway_events"
