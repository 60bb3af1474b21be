"""The proposals of one organization, who said yes to them, and what it has settled about their types, rules and
targets. Private to the slice.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from gateway.core import clock, ids


class ProposalRow(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    type = models.CharField(max_length=64)
    payload = models.JSONField()
    diff = models.JSONField()
    subject_id = models.CharField(max_length=128, null=True)
    subject_pk = models.UUIDField(null=True)
    persona_id = models.CharField(max_length=128, null=True)
    conversation_id = models.UUIDField(null=True)
    request_id = models.UUIDField(null=True)
    provenance = models.JSONField()
    confidence = models.FloatField()
    state = models.CharField(max_length=16)
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=145, null=True)
    decided_at = models.DateTimeField(null=True)
    comment = models.TextField(default="", blank=True)
    execute_after = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True)
    lease_id = models.UUIDField(null=True)
    executed_at = models.DateTimeField(null=True)
    result = models.JSONField(null=True)
    assertion_id = models.CharField(max_length=40, null=True)
    error = models.JSONField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    quorum = models.PositiveSmallIntegerField(default=1, db_default=1)
    rule_id = models.UUIDField(null=True)
    compensation_state = models.CharField(max_length=16, null=True)
    compensation = models.JSONField(null=True)
    memory_scope = models.CharField(max_length=128, null=True)  # the collection that it writes to
    reach = models.JSONField(null=True)  # what the key of the last decision was narrowed to
    rules_asked = models.BooleanField(default=False, db_default=False)  # whether it may go ahead without a person

    class Meta:
        app_label = "gateway_proposals"
        db_table = "proposal"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["state", "id"], name="proposal_by_state"),
            models.Index(fields=["subject_id", "id"], name="proposal_by_subject"),
            models.Index(fields=["persona_id", "id"], name="proposal_by_persona"),
            models.Index(fields=["expires_at"], name="proposal_undecided", condition=Q(state="pending")),
            models.Index(
                fields=["execute_after"], name="proposal_due", condition=Q(state__in=["approved", "executing"])
            ),
            models.Index(fields=["rule_id", "decided_at"], name="proposal_by_rule", condition=Q(rule_id__isnull=False)),
            models.Index(fields=["heartbeat_at"], name="proposal_undoing", condition=Q(compensation_state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id} {self.state}"


class VoteRow(models.Model):
    """One person's yes to a proposal that needs several."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    proposal_id = models.UUIDField()
    voter = models.CharField(max_length=145)
    actor = models.CharField(max_length=145)
    comment = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_proposals"
        db_table = "proposal_vote"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["proposal_id", "voter"], name="proposal_vote_once"),
        ]

    def __str__(self) -> str:
        return f"{self.voter} on {self.proposal_id}"


class TypeRow(models.Model):
    """What the organization has settled about one type."""

    type = models.CharField(max_length=64, primary_key=True)
    quorum = models.PositiveSmallIntegerField(default=1)
    expires_in_s = models.PositiveIntegerField(null=True)
    updated_at = models.DateTimeField(default=clock.now)
    updated_by = models.CharField(max_length=145)

    class Meta:
        app_label = "gateway_proposals"
        db_table = "proposal_type"

    def __str__(self) -> str:
        return self.type


class RuleRow(models.Model):
    """Which proposals need no person."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    name = models.CharField(max_length=80)
    enabled = models.BooleanField(default=True)
    types = models.JSONField()
    min_confidence = models.FloatField()
    personas = models.JSONField(null=True)
    per_day = models.PositiveIntegerField(null=True)
    per_subject_per_day = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    updated_by = models.CharField(max_length=145)

    class Meta:
        app_label = "gateway_proposals"
        db_table = "proposal_rule"

    def __str__(self) -> str:
        return self.name


class TargetRow(models.Model):
    """A server of somebody else's that approved writes may reach, and the secret it is reached with."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7)
    name = models.CharField(max_length=40, unique=True)
    kind = models.CharField(max_length=16)
    url = models.CharField(max_length=2000)
    username = models.CharField(max_length=256, default="", blank=True)
    secret_ciphertext = models.BinaryField()
    secret_kid = models.CharField(max_length=64, db_index=True)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    updated_by = models.CharField(max_length=145)

    class Meta:
        app_label = "gateway_proposals"
        db_table = "write_target"

    def __str__(self) -> str:
        return self.name
