from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    name = "gateway.governance.policies"
    label = "gateway_policies"
