"""What asks a person for a decision because of what the providers say (spec 03, 04)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from apps.core.constraints import one_of
from apps.payments.enums import ReviewKind
from apps.tenants.models import Organization, Workspace


class Review(models.Model):
    """One open question, about a workspace or, without one, about the whole organization.

    Written with the change that raised it, and gone with the one that answers it; `restarted` stays until a person has
    said that it is in order.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="reviews", db_index=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, null=True, blank=True, related_name="reviews")
    kind = models.CharField(max_length=32, choices=ReviewKind.choices)
    sentence = models.TextField()
    opened_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("kind", ReviewKind, "review_kind_known"),
            models.UniqueConstraint(
                fields=["organization", "workspace", "kind"], nulls_distinct=False, name="review_one_of_a_kind"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["-opened_at"], name="review_newest")]

    def __str__(self) -> str:
        return self.sentence
