"""The one current record of what a workspace has bought (spec 03, WorkspaceSubscription)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q

from apps.core import clock
from apps.core.constraints import one_of
from apps.core.row_versions import kept_row_versions
from apps.subscriptions.enums import ManagedBy, Provider, SubscriptionState
from apps.subscriptions.models.plans import Plan
from apps.subscriptions.models.version_counter import counts_versions
from apps.subscriptions.rules.transitions import FIRST_STATES, state_pairs
from apps.tenants.models import Workspace

_FIRST = ", ".join(f"'{state.value}'" for state in sorted(FIRST_STATES))


@kept_row_versions()
class WorkspaceSubscription(models.Model):
    """At most one row a workspace. The database holds legal states, coherent dates and the count of versions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.OneToOneField(Workspace, on_delete=models.PROTECT, related_name="subscription")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="subscriptions")
    state = models.CharField(max_length=16, choices=SubscriptionState.choices)
    started_at = models.DateTimeField()
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    current_period_start = models.DateTimeField(null=True, blank=True)
    current_period_end = models.DateTimeField(null=True, blank=True)
    cancel_at_period_end = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True, blank=True)
    managed_by = models.CharField(max_length=16, choices=ManagedBy.choices, default=ManagedBy.STAFF)
    # Kept while staff manage the record, so that management can be handed back.
    provider = models.CharField(max_length=16, choices=Provider.choices, blank=True, default="")
    provider_subscription_id = models.CharField(max_length=255, blank=True, default="")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            one_of("state", SubscriptionState, "subscription_state_known"),
            one_of("managed_by", ManagedBy, "subscription_managed_by_known"),
            one_of("provider", Provider, "subscription_provider_known", also=[""]),
            models.UniqueConstraint(
                fields=["provider", "provider_subscription_id"],
                condition=~Q(provider=""),
                name="subscription_unique_at_provider",
            ),
            models.CheckConstraint(
                condition=Q(provider="", provider_subscription_id="")
                | (~Q(provider="") & ~Q(provider_subscription_id="")),
                name="subscription_provider_iff_id",
            ),
            models.CheckConstraint(
                condition=Q(managed_by=ManagedBy.STAFF) | Q(managed_by=F("provider")),
                name="subscription_managed_by_its_provider",
            ),
            models.CheckConstraint(
                condition=~Q(state=SubscriptionState.TRIALING) | Q(trial_ends_at__isnull=False),
                name="subscription_trial_has_end",
            ),
            models.CheckConstraint(
                condition=Q(current_period_start__isnull=True, current_period_end__isnull=True)
                | Q(
                    current_period_start__isnull=False,
                    current_period_end__isnull=False,
                    current_period_start__lt=F("current_period_end"),
                ),
                name="subscription_period_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(state=SubscriptionState.ENDED, ended_at__isnull=False)
                | (~Q(state=SubscriptionState.ENDED) & Q(ended_at__isnull=True)),
                name="subscription_end_iff_ended",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="subscription_ends_after_start",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="subscription_version_positive"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["trial_ends_at"], name="subscription_trial_end"),
            models.Index(fields=["current_period_end"], name="subscription_period_end"),
        ]
        triggers: ClassVar = [
            counts_versions("subscription_counts_versions"),
            pgtrigger.FSM(name="subscription_moves_legally", field="state", transitions=list(state_pairs())),
            pgtrigger.Protect(
                name="subscription_starts_legally",
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition(f"NEW.state NOT IN ({_FIRST})"),
            ),
            pgtrigger.ReadOnly(name="subscription_workspace_is_fixed", fields=["workspace"]),
        ]

    def __str__(self) -> str:
        return f"{self.state} subscription of workspace {self.workspace_id}"
