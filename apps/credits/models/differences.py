"""What staff have explained of a product's differences (spec 02, Cutover; 05, Shadow mode)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.free_text import FreeTextField
from apps.core.ids import AuditTarget
from apps.credits.enums import DisagreementClass
from apps.tenants.models import Product


class DifferenceMark(models.Model):
    """A reason why differences don't count: one of them, or all of a class, of one operation or any.

    `covers_until` is the last moment that it speaks of; none: those to come too.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="difference_marks", db_index=False)
    difference = models.CharField(max_length=40, choices=DisagreementClass.choices)
    operation = models.CharField(max_length=80, blank=True, default="")
    disagreement_id = models.UUIDField(null=True, blank=True)
    covers_until = models.DateTimeField(null=True, blank=True)
    reason = FreeTextField()
    marked_by = models.CharField(max_length=254)
    marked_at = models.DateTimeField()
    undone_by = models.CharField(max_length=254, blank=True, default="")
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            one_of("difference", DisagreementClass, "difference_mark_class_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="difference_mark_has_reason"),
            models.CheckConstraint(
                condition=Q(undone_at__isnull=True, undone_by="") | (Q(undone_at__isnull=False) & ~Q(undone_by="")),
                name="difference_mark_undone_by_somebody",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["product", "difference"], condition=Q(undone_at__isnull=True), name="difference_mark_in_force"
            ),
            models.Index(fields=["-marked_at", "id"], name="difference_mark_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_difference_display()} of {self.operation or 'any operation'}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("difference_mark", self.pk)
