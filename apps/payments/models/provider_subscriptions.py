"""Mirrored subscriptions of the providers; what we have sold is the WorkspaceSubscription."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from apps.core.constraints import one_of
from apps.payments.enums import ProviderSubscriptionStatus
from apps.payments.models.mirror import MirroredObject


class ProviderSubscription(MirroredObject):
    """A subscription at a provider. `workspace_id` is what its metadata name, unchecked; None: the organization's.

    `started_at` and `ended_at` are the provider's own times; `plan_key` is how it names the price or plan.
    """

    status = models.CharField(max_length=16, choices=ProviderSubscriptionStatus.choices)
    workspace_id = models.UUIDField(null=True, blank=True)
    plan_key = models.CharField(max_length=255, blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    cancel_at_period_end = models.BooleanField(default=False)

    class Meta(MirroredObject.Meta):
        abstract = False
        constraints: ClassVar = [
            *MirroredObject.Meta.constraints,
            one_of("status", ProviderSubscriptionStatus, "providersubscription_status_known"),
        ]
        indexes: ClassVar = [
            *MirroredObject.Meta.indexes,
            models.Index(fields=["organization", "-started_at"], name="providersubscription_latest"),
        ]
