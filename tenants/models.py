"""Organizations, people, memberships and API keys: the public schema's directory of who is calling.

Private to ``tenants``; others see ``tenants.types``. Every row that workers hold in memory carries ``version``, taken
from one sequence under one lock (``tenants.directory``), so that "changed since N" never misses a row.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models, transaction
from django_tenants.models import TenantMixin

from gateway.core import clock, ids
from tenants.epoch import next_version
from tenants.killrows import KillSwitchRow

__all__ = ["KillSwitchRow"]  # Django finds an app's tables here; the rest of this module is its own


class OrganizationRow(TenantMixin):
    class State(models.TextChoices):
        PROVISIONING = "provisioning"
        READY = "ready"
        FAILED = "failed"
        DELETING = "deleting"

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
    closing_at = models.DateTimeField(null=True)
    closes_at = models.DateTimeField(null=True, db_index=True)
    closing_by = models.UUIDField(null=True)
    closing_facts = models.JSONField(null=True)
    flags = models.JSONField(default=dict)
    limits = models.JSONField(default=dict)
    rules = models.JSONField(null=True)
    settings = models.JSONField(null=True)
    graph_hash = models.CharField(max_length=64, blank=True, default="")
    version = models.BigIntegerField(default=0, db_index=True)
    created_by_user_id = models.UUIDField(null=True, db_index=True)
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
    """A person. ``tokens_valid_after`` ends every user token made before it (a new password, a deleted account)."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True, default="")
    is_active = models.BooleanField(default=True)
    tokens_valid_after = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    version = models.BigIntegerField(default=0, db_default=0, db_index=True)
    created_at = models.DateTimeField(default=clock.now)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    _KNOWN_TO_WORKERS: ClassVar[frozenset[str]] = frozenset({"email", "name", "is_active", "tokens_valid_after"})
    objects = UserManager()

    class Meta:
        app_label = "tenants"
        db_table = "tenants_user"

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; what workers hold of a person takes the directory's next version, whoever changes it."""
        fields = kwargs.get("update_fields")
        if fields is not None and not self._KNOWN_TO_WORKERS.intersection(fields):
            super().save(*args, **kwargs)
            return
        if fields is not None:
            kwargs["update_fields"] = [*fields, "version"]
        with transaction.atomic():
            self.version = next_version()
            super().save(*args, **kwargs)


class MembershipRow(models.Model):
    """A person in an organization. A removal leaves the row as a tombstone, so that every worker learns of it."""

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
    removed_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    version = models.BigIntegerField(default=0, db_default=0, db_index=True)
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
    owner_user_id = models.UUIDField(null=True, db_index=True)
    allowed_models = models.JSONField(null=True)
    origins = models.JSONField(null=True)
    ip_ranges = models.JSONField(null=True)
    team_ids = models.JSONField(null=True)
    rate = models.JSONField(null=True)
    budget = models.JSONField(null=True)
    on_disconnect = models.CharField(max_length=8, null=True)
    cache_s = models.IntegerField(null=True)
    token_epoch = models.IntegerField(default=0, db_default=0)
    revoked_version = models.BigIntegerField(null=True)
    version = models.BigIntegerField(default=0, db_index=True)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_api_key"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "id"], name="tenants_api_key_by_org"),
        ]

    def __str__(self) -> str:
        return self.public


class EndedTokenRow(models.Model):
    """A capability token that was ended before its time. A row outlives its token by little."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    organization = models.ForeignKey(OrganizationRow, on_delete=models.CASCADE, db_column="org_id", related_name="+")
    token_id = models.UUIDField()
    ended_at = models.DateTimeField(default=clock.now)
    version = models.BigIntegerField(default=0, db_index=True)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_ended_token"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization", "token_id"], name="tenants_ended_token_once"),
        ]

    def __str__(self) -> str:
        return str(self.token_id)


class TokenOriginRow(models.Model):
    """A web origin that capability tokens were made for a while ago, so that every worker can answer its preflights,
    which carry no credential."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    organization = models.ForeignKey(OrganizationRow, on_delete=models.CASCADE, db_column="org_id", related_name="+")
    origin = models.CharField(max_length=300)
    used_at = models.DateTimeField(default=clock.now)
    version = models.BigIntegerField(default=0, db_index=True)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_token_origin"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization", "origin"], name="tenants_token_origin_once"),
        ]

    def __str__(self) -> str:
        return self.origin


class InvitationRow(models.Model):
    """An invitation by link. Only the hash of the link's token is stored."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    organization = models.ForeignKey(
        OrganizationRow, on_delete=models.CASCADE, related_name="invitations", db_column="org_id"
    )
    email = models.EmailField()
    role = models.CharField(max_length=20, choices=MembershipRow.Role.choices)
    token_sha256 = models.BinaryField(unique=True)
    invited_by_user_id = models.UUIDField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_invitation"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "id"], name="tenants_invitation_by_org")
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization_id}"


class EndedSessionRow(models.Model):
    """A session that ended while its user tokens may still be out. ``sid`` is what the tokens carry, never the key."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    sid = models.CharField(max_length=32, unique=True)
    user_id = models.UUIDField(null=True)
    ended_at = models.DateTimeField(default=clock.now)
    version = models.BigIntegerField(default=0, db_default=0, db_index=True)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_ended_session"

    def __str__(self) -> str:
        return self.sid


class SignInRow(models.Model):
    """That a session was used for an organization, so that its audit log says so once."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    sid = models.CharField(max_length=32)
    organization = models.ForeignKey(OrganizationRow, on_delete=models.CASCADE, db_column="org_id")
    user_id = models.UUIDField()
    created_at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        app_label = "tenants"
        db_table = "tenants_sign_in"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["sid", "organization"], name="tenants_sign_in_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.organization_id}"


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
