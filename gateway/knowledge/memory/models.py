"""Rows of memory. Private to this slice; ``subject_pk`` names a subject without a foreign key, the slices being
strangers."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.core import clock, ids
from gateway.knowledge.memory.fields import VectorField
from gateway.knowledge.memory.types import LINEAGE, MAX_LABEL, MAX_NAME, MAX_REF, Status, Visibility


class SubjectState(models.Model):
    """One row per subject with memories. Its lock serializes writers; ``version`` rises with every visible change.

    ``revoked`` are the sources that may not be used for this subject now (a consent taken back, or a boundary): it is
    what recall reads, kept in step with the rows that say why in the transaction that changes them.
    """

    subject_pk = models.UUIDField(primary_key=True)
    subject_id = models.CharField(max_length=MAX_NAME)
    version = models.BigIntegerField(default=0)
    count = models.IntegerField(default=0)
    next_sitting = models.IntegerField(default=1)
    revoked = ArrayField(models.CharField(max_length=MAX_NAME), db_default=[])

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_subject"


class MemoryRow(models.Model):
    """One memory. ``sitting`` is unique per subject: a stretch of one thread without a gap of an hour.

    A correction is a row of its own: ``previous_id`` names the row that it corrects, ``version`` counts along that
    chain, and the old row is ``corrected`` (its wording was never true). A newer fact of the same slot is a row of its
    own too, but the old one is not ``corrected``: it was true until ``valid_to``. ``superseded_by`` names the row that
    took over in both cases. ``hidden`` says that a boundary covers it: kept, shown, never recalled.

    ``source_kinds`` are all the sources that it needs as it was first told. Whoever told it again in the same words
    told it from sources of their own: ``lineages`` has those, the sources of one telling joined by ``LINEAGE``; one
    telling whose sources may all be used is enough.
    """

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    subject_pk = models.UUIDField()
    persona_id = models.CharField(max_length=MAX_NAME, null=True)
    type = models.CharField(max_length=32)
    slot = models.CharField(max_length=MAX_NAME, null=True)
    body = models.TextField()
    value = models.JSONField(null=True)
    speaker = models.CharField(max_length=MAX_NAME, null=True)
    thread_id = models.CharField(max_length=MAX_NAME, null=True)
    sitting = models.IntegerField()
    occurred_at = models.DateTimeField()
    valid_from = models.DateTimeField(null=True)
    valid_to = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField(default=clock.now)
    retired_at = models.DateTimeField(null=True)
    superseded_by = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    status = models.CharField(max_length=16, default=Status.ACTIVE)
    confidence = models.FloatField(default=1.0)
    trust = models.SmallIntegerField()
    scope = models.CharField(max_length=16, default=Visibility.PRIVATE)
    memory_scope = models.CharField(max_length=MAX_NAME)
    source_kinds = ArrayField(models.CharField(max_length=MAX_NAME))
    lineages = ArrayField(models.TextField(), null=True)
    expires_at = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(null=True)
    content_hash = models.BinaryField(max_length=32)
    n_tok = models.IntegerField()
    created_by = models.CharField(max_length=MAX_NAME)
    proposal_id = models.UUIDField(null=True)
    about = models.CharField(max_length=MAX_LABEL, null=True)
    place = models.CharField(max_length=MAX_LABEL, null=True)
    pii_tags = ArrayField(models.CharField(max_length=MAX_NAME), db_default=[])
    pinned_at = models.DateTimeField(null=True)
    silenced_at = models.DateTimeField(null=True)
    hidden = models.BooleanField(db_default=False)
    version = models.IntegerField(db_default=1)
    previous_id = models.UUIDField(null=True)
    corrected = models.BooleanField(db_default=False)

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory"
        constraints = [
            models.UniqueConstraint(
                fields=["subject_pk", "content_hash"],
                condition=models.Q(status=Status.ACTIVE),
                name="memory_content_once",
            )
        ]
        indexes = [
            models.Index(fields=["subject_pk", "id"], name="memory_subject_listed"),
            models.Index(
                fields=["subject_pk", "thread_id", "occurred_at"],
                condition=models.Q(thread_id__isnull=False),
                name="memory_thread_timeline",
            ),
            models.Index(
                fields=["subject_pk", "slot"], condition=models.Q(slot__isnull=False), name="memory_slot_facts"
            ),
            models.Index(
                fields=["forgotten_at"], condition=models.Q(status=Status.FORGOTTEN), name="memory_to_be_purged"
            ),
            models.Index(
                fields=["subject_pk", "content_hash"],
                condition=models.Q(status__in=[Status.SILENCED, Status.SUPERSEDED]),
                name="memory_set_aside",
            ),
            # What is known before it is true; hardly anything is.
            models.Index(
                fields=["subject_pk", "valid_from"],
                condition=models.Q(valid_from__gt=models.F("recorded_at")),
                name="memory_begins_later",
            ),
            models.Index(fields=["expires_at"], condition=models.Q(expires_at__isnull=False), name="memory_to_expire"),
            # Every hard delete asks who points here.
            models.Index(
                fields=["superseded_by"], condition=models.Q(superseded_by__isnull=False), name="memory_taken_over"
            ),
            models.Index(
                fields=["previous_id"], condition=models.Q(previous_id__isnull=False), name="memory_corrected_from"
            ),
        ]

    def is_revoked(self, revoked: Collection[str]) -> bool:
        """Whether every telling of it needs one of these sources; recall's statement asks the same."""
        tellings = [self.source_kinds, *(one.split(LINEAGE) for one in self.lineages or ())]
        return all(any(kind in revoked for kind in telling) for telling in tellings)


class MemorySource(models.Model):
    """One place a memory came from. ``ref`` is empty when the source gave none; ``position`` 0 is the one that is
    cited; ``span`` is [start, end) in characters of the item."""

    pk = models.CompositePrimaryKey("memory_id", "source", "ref")
    memory = models.ForeignKey(MemoryRow, on_delete=models.CASCADE, related_name="sources", db_index=False)
    source = models.CharField(max_length=MAX_NAME)
    ref = models.CharField(max_length=MAX_REF, default="")
    snippet = models.TextField(null=True)
    span = ArrayField(models.IntegerField(), size=2, null=True)
    position = models.SmallIntegerField(default=0)
    observed_at = models.DateTimeField()

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_source"


class MemoryToken(models.Model):
    """BM25 postings: how often a lexeme stands in a memory, and how long that is. A forgotten memory has none."""

    pk = models.CompositePrimaryKey("subject_pk", "lexeme", "memory_id")
    subject_pk = models.UUIDField()
    lexeme = models.TextField()
    memory_id = models.UUIDField()
    tf = models.SmallIntegerField()
    n_tok = models.SmallIntegerField()

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_token"


class MemoryEmbedding(models.Model):
    """A memory's meaning in one model's space. Models stand beside each other; recall asks for the active one's."""

    pk = models.CompositePrimaryKey("memory_id", "model_id")
    memory_id = models.UUIDField()
    model_id = models.CharField(max_length=MAX_NAME)
    subject_pk = models.UUIDField()
    emb = VectorField()

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_embedding"
        indexes = [models.Index(fields=["subject_pk", "model_id"], name="memory_embedding_subject")]


class EmbeddingFailure(models.Model):
    """A memory that a model did not take. It is tried again a few times, ever later."""

    pk = models.CompositePrimaryKey("memory_id", "model_id")
    memory_id = models.UUIDField()
    model_id = models.CharField(max_length=MAX_NAME)
    subject_pk = models.UUIDField()
    code = models.CharField(max_length=64)
    tries = models.SmallIntegerField()
    failed_at = models.DateTimeField()

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_embedding_failure"
        indexes = [models.Index(fields=["subject_pk"], name="memory_embedding_failed")]


class Tombstone(models.Model):
    """That something was forgotten, without what it was: no later extraction may make it a memory again."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    subject_pk = models.UUIDField()
    memory_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=32)
    slot = models.CharField(max_length=MAX_NAME, null=True)
    value_hash = models.BinaryField(max_length=32, null=True)
    forgotten_at = models.DateTimeField(default=clock.now)

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_tombstone"
        indexes = [
            models.Index(fields=["subject_pk", "content_hash"], name="memory_tombstone_content"),
            models.Index(fields=["memory_id"], name="memory_tombstone_memory"),
        ]


class Consent(models.Model):
    """What a subject said about one source. A source without a row may be used."""

    pk = models.CompositePrimaryKey("subject_pk", "source")
    subject_pk = models.UUIDField()
    source = models.CharField(max_length=MAX_NAME)
    granted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    updated_by = models.CharField(max_length=MAX_NAME)

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_consent"


class Boundary(models.Model):
    """Something the subject does not want brought up (``topic``), or looked at (``source``). Kept when lifted."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    subject_pk = models.UUIDField()
    kind = models.CharField(max_length=16)
    statement = models.CharField(max_length=MAX_LABEL)
    source = models.CharField(max_length=MAX_NAME, null=True)
    created_at = models.DateTimeField(default=clock.now)
    created_by = models.CharField(max_length=MAX_NAME)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=MAX_NAME, null=True)

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_boundary"
        indexes = [models.Index(fields=["subject_pk", "id"], name="memory_boundary_subject")]


class TidyReport(models.Model):
    """What one night's tidying came to."""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    ran_at = models.DateTimeField(default=clock.now)
    counts = models.JSONField(default=dict)

    class Meta:
        app_label = "gateway_memory"
        db_table = "memory_tidy_report"
