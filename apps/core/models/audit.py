"""The audit log: append-only, one hash chain an organization and one for the platform (spec 03, History)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of, words_index
from apps.core.enums import ActorKind, AuthorizationSource, Role
from apps.core.models.protection import append_only, refuse_truncate

HASH_DIGITS = 64
REASONED_BY_PEOPLE = Q(actor_kind=ActorKind.USER) & ~Q(reason="")


class AuditChain(models.Model):
    """The head of one chain: how many entries it has and the hash of the last. Locked while an entry is appended.

    The head lets a verification see that the newest entries were removed. It only ever moves on by one.
    """

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(null=True, blank=True, editable=False, help_text="Empty: the platform's chain.")
    last_sequence = models.BigIntegerField(default=0)
    last_hash = models.CharField(max_length=HASH_DIGITS)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization_id"], name="audit_chain_unique", nulls_distinct=False),
            models.CheckConstraint(condition=Q(last_sequence__gte=0), name="audit_chain_sequence_not_negative"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="audit_chain_moves_on_by_one",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "NEW.last_sequence <> OLD.last_sequence + 1"
                    " OR NEW.organization_id IS DISTINCT FROM OLD.organization_id OR NEW.id <> OLD.id"
                ),
            ),
            pgtrigger.Protect(name="audit_chain_is_kept", operation=pgtrigger.Delete),
            refuse_truncate("audit_chain_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"audit chain of {self.organization_id or 'the platform'}"


class AuditEntry(models.Model):
    """One change of commercial truth. It names what it speaks of by plain ids, so that it outlives those rows."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization_id = models.UUIDField(null=True, blank=True, help_text="Empty: in the platform's chain.")
    sequence = models.BigIntegerField()
    event = models.CharField(max_length=80)
    actor_kind = models.CharField(max_length=16, choices=ActorKind.choices)
    actor_id = models.CharField(max_length=64, blank=True, default="")
    actor_label = models.CharField(max_length=254)
    role = models.CharField(max_length=32, choices=Role.choices)
    authorization_source = models.CharField(max_length=32, choices=AuthorizationSource.choices)
    target_type = models.CharField(max_length=64)
    target_id = models.CharField(max_length=255)
    workspace_id = models.UUIDField(null=True, blank=True)
    reason = models.TextField(blank=True, default="")
    before = models.JSONField()
    after = models.JSONField()
    request_id = models.CharField(max_length=200)
    recorded_at = models.DateTimeField()
    previous_hash = models.CharField(max_length=HASH_DIGITS)
    hash = models.CharField(max_length=HASH_DIGITS)
    erased = models.JSONField(
        null=True,
        blank=True,
        help_text="Once texts of it are erased: the salts of those that stayed, the others' digests.",
    )

    class Meta:
        verbose_name_plural = "audit entries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization_id", "sequence"], name="audit_entry_sequence_unique", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="audit_entry_sequence_positive"),
            models.CheckConstraint(condition=~Q(event=""), name="audit_entry_names_event"),
            one_of("actor_kind", ActorKind, "audit_entry_actor_kind_known"),
            one_of("role", Role, "audit_entry_role_known"),
            one_of("authorization_source", AuthorizationSource, "audit_entry_source_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["target_type", "target_id", "recorded_at"], name="audit_entry_target"),
            models.Index(fields=["workspace_id", "recorded_at"], name="audit_entry_workspace"),
            models.Index(fields=["-recorded_at"], name="audit_entry_recorded"),
            models.Index(fields=["event", "-recorded_at"], name="audit_entry_of_event"),
            models.Index(fields=["actor_label", "-recorded_at"], name="audit_entry_of_actor"),
            models.Index(fields=["target_id", "-recorded_at"], name="audit_entry_of_record"),
            models.Index(fields=["organization_id", "-recorded_at"], name="audit_entry_of_tenant"),
            models.Index(fields=["request_id"], name="audit_entry_request"),
            # The reasons that people give, with the tickets in them; what machines do has none worth searching.
            words_index("audit_entry_reason_words", "reason", condition=REASONED_BY_PEOPLE),
            # "People only" in the list.
            models.Index(fields=["-recorded_at"], condition=Q(actor_kind=ActorKind.USER), name="audit_entry_of_people"),
        ]
        triggers: ClassVar = append_only("audit_entry")

    def __str__(self) -> str:
        return f"{self.event} #{self.sequence}"
