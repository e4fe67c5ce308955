"""How far a provider's own list of events was compared with the inbox (spec 04, Webhooks)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.constraints import one_of
from apps.subscriptions.enums import Provider


class ReconciliationCursor(models.Model):
    """One row a provider. A pass goes from `until` back to `since`, as providers list the newest first.

    `begun_at` is when the pass under way began, `after` the last event that it has compared, and `reached_at` when that
    happened. `done_until`: everything before it was compared once.
    """

    provider = models.CharField(max_length=16, choices=Provider.choices, primary_key=True)
    done_until = models.DateTimeField(null=True, blank=True)
    begun_at = models.DateTimeField(null=True, blank=True)
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    after = models.CharField(max_length=255, blank=True, default="")
    reached_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            one_of("provider", Provider, "reconciliation_cursor_provider_known"),
            models.CheckConstraint(
                condition=Q(begun_at__isnull=True, since__isnull=True, until__isnull=True, after="")
                | Q(begun_at__isnull=False, since__isnull=False, until__isnull=False, until__gte=F("since")),
                name="reconciliation_cursor_pass_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} until {self.done_until}"
