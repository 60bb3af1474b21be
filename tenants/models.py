"""Organizations, people, memberships and API keys: the public schema's directory of who is calling.

Private to ``tenants``; everyone else sees ``tenants.types``. Every row that workers hold in memory carries
``version``, taken from one sequence under one lock (``tenants.directory``), so that "changed since N" never misses a
row.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django_tenants.models import TenantMixin

from gateway.core import clock, ids


class OrganizationRow(TenantMixin):
    class State(models.TextChoices):
        PROVISIONING = "provisioning"
        READY = "ready"
        FAILED = "failed"

    auto_create_schema = False

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    slug = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    plan = models.CharField(max_length=20)
    region = models.CharField(max_length=20, blank=True, default="")
    state = models.CharField(max_length=20, choices=State.choices, default=State.PROVISIONING)
    steps_done = models.JSONField(default=list)
    failure = models.TextField(blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    suspended_at = models.DateTimeField(null=True)
    flags = models.JSONField(default=dict)
    limits = models.JSONField(default=dict)
    graph_hash = models.CharField(max_length=64, blank=True, default="")
    version = models.BigIntegerField(default=0, db_index=True)
    created_at = models.DateTimeField(default=clock.now)
    touched_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_organization"

    def __str__(self) -> str:
        return self.slug


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str, *, name: str = "") -> User:
        user = User(email=self.normalize_email(email).lower(), name=name)
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        app_label = "tenants"
        db_table = "tenants_user"

    def __str__(self) -> str:
        return self.email


class MembershipRow(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        DEVELOPER = "developer"
        REVIEWER = "reviewer"
        BILLING = "billing"
        VIEWER = "viewer"

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(OrganizationRow, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_membership"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "organization"], name="tenants_membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id} as {self.role}"


class ApiKeyRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    organization = models.ForeignKey(OrganizationRow, on_delete=models.CASCADE, related_name="keys", db_column="org_id")
    public = models.CharField(max_length=16, unique=True)
    name = models.CharField(max_length=80)
    mode = models.CharField(max_length=4)
    secret_sha256 = models.BinaryField()
    previous_sha256 = models.BinaryField(null=True)
    previous_valid_until = models.DateTimeField(null=True)
    persona_ids = models.JSONField(null=True)
    subject_ids = models.JSONField(null=True)
    memory_scopes = models.JSONField(null=True)
    scopes = models.JSONField(null=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    rotated_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    created_by = models.CharField(max_length=64)
    version = models.BigIntegerField(default=0, db_index=True)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_api_key"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "id"], name="tenants_api_key_by_org"),
        ]

    def __str__(self) -> str:
        return self.public


class SchemaTemplate(models.Model):
    """The SQL that makes one organization's schema, recorded from the migrations themselves, one row per migration
    graph."""

    graph_hash = models.CharField(max_length=64, primary_key=True)
    sql = models.TextField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_schema_template"

    def __str__(self) -> str:
        return self.graph_hash
