"""Connections to identity providers and the domains that organizations proved. Private to ``tenants.sso``."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from gateway.core import clock, ids
from tenants.models import OrganizationRow


class SsoConnectionRow(models.Model):
    """An organization's one connection. ``settings`` holds what may be shown; the client secret is sealed beside it.

    ``config_hash`` changes with everything that a test must prove again. ``version`` is the directory's.
    """

    class Kind(models.TextChoices):
        OIDC = "oidc"
        SAML = "saml"

    class State(models.TextChoices):
        DRAFT = "draft"
        TESTED = "tested"
        ENFORCED = "enforced"
        DISABLED = "disabled"

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    organization = models.OneToOneField(
        OrganizationRow, on_delete=models.CASCADE, related_name="sso_connection", db_column="org_id"
    )
    kind = models.CharField(max_length=8, choices=Kind.choices)
    settings = models.JSONField(default=dict)
    client_secret_ciphertext = models.BinaryField(null=True)
    client_secret_kid = models.CharField(max_length=64, blank=True, default="")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    config_hash = models.CharField(max_length=64)
    tested_config_hash = models.CharField(max_length=64, blank=True, default="")
    tested_at = models.DateTimeField(null=True)
    tested_by_user_id = models.UUIDField(null=True)
    last_test = models.JSONField(null=True)
    break_glass_user_id = models.UUIDField(null=True)
    default_role = models.CharField(max_length=20)
    version = models.BigIntegerField(default=0, db_index=True)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "tenants_sso"
        db_table = "tenants_sso_connection"

    def __str__(self) -> str:
        return f"{self.kind} of {self.organization_id}"


class DomainRow(models.Model):
    """A mail domain that an organization claims, and since when it is proved. Only one organization can prove it."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    organization = models.ForeignKey(
        OrganizationRow, on_delete=models.CASCADE, related_name="sso_domains", db_column="org_id"
    )
    domain = models.CharField(max_length=253)
    token = models.CharField(max_length=64)
    verified_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "tenants_sso"
        db_table = "tenants_sso_domain"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization", "domain"], name="tenants_sso_domain_once"),
            models.UniqueConstraint(
                fields=["domain"], condition=Q(verified_at__isnull=False), name="tenants_sso_domain_one_owner"
            ),
        ]

    def __str__(self) -> str:
        return self.domain
