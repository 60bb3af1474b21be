from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "gateway.engine.conversations"
    label = "gateway_conversations"
