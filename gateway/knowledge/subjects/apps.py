from django.apps import AppConfig


class SubjectsConfig(AppConfig):
    name = "gateway.knowledge.subjects"
    label = "gateway_subjects"
