"""Price previews of drafts: what each would have charged, computed by a worker (spec 05, Policy)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.constraints import one_of
from apps.credits.enums import PricePreviewStatus
from apps.tenants.models import Product

ACTIVE = (PricePreviewStatus.QUEUED, PricePreviewStatus.RUNNING)
_ACTIVE = [status.value for status in ACTIVE]
_SUCCEEDED = PricePreviewStatus.SUCCEEDED.value


class PricePreviewRun(models.Model):
    """One preview of one draft. A worker that dies leaves it to another, which begins anew.

    A draft that is edited is another one, with an id of its own, so that `draft_id` tells whose result this is; it is
    no foreign key, as drafts are deleted. Uses from `since` to `until` count. `result` is a `PricePreview`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="price_previews", db_index=False)
    draft_id = models.UUIDField()
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=16, choices=PricePreviewStatus.choices)
    since = models.DateTimeField()
    until = models.DateTimeField()
    done = models.PositiveIntegerField(default=0, help_text="Days of the ledger that were read.")
    days = models.PositiveIntegerField()
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    requested_by = models.CharField(max_length=254)
    claims = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            one_of("status", PricePreviewStatus, "price_preview_status_known"),
            models.CheckConstraint(condition=Q(done__lte=F("days")), name="price_preview_done_of_days"),
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="price_preview_window"),
            models.CheckConstraint(
                condition=Q(status__in=_ACTIVE, finished_at__isnull=True)
                | (~Q(status__in=_ACTIVE) & Q(finished_at__isnull=False)),
                name="price_preview_over_iff_finished",
            ),
            models.CheckConstraint(
                condition=Q(status=_SUCCEEDED, result__isnull=False) | (~Q(status=_SUCCEEDED) & Q(result__isnull=True)),
                name="price_preview_result_iff_succeeded",
            ),
            models.UniqueConstraint(
                fields=["product"], condition=Q(status__in=_ACTIVE), name="price_preview_one_at_a_time"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["product", "-created_at"], name="price_preview_of_product"),
            models.Index(fields=["lease_expires_at"], condition=Q(status__in=_ACTIVE), name="price_preview_lease"),
        ]

    def __str__(self) -> str:
        return f"preview of version {self.version} at {self.created_at:%Y-%m-%d %H:%M}"
