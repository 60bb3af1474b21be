from django.apps import AppConfig


class SsoConfig(AppConfig):
    name = "tenants.sso"
    label = "tenants_sso"
