"""History: the audit log read back into records, facts and decisions as of any moment (spec 03, History).

As-of now equals the resolver's answer, because each audit entry of this app holds every value of its record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps as installed
from django.db.models import QuerySet

from apps.core.audit import event_label
from apps.core.enums import LifecycleState, Role
from apps.core.errors import Reason
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import AuditEntry
from apps.core.operations import PLATFORM_LADDER
from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus
from apps.subscriptions.events import OVERLAY_CLEARED, OVERLAY_SET
from apps.subscriptions.ids import PlanId, WorkspaceSubscriptionId
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.rules.lifecycle import LifecycleFacts, SubscriptionFacts
from apps.subscriptions.rules.payment_transitions import speaks_of_named_workspaces
from apps.subscriptions.selectors.lifecycle import unknown_workspace
from apps.subscriptions.selectors.records import (
    ORGANIZATION_TARGET,
    OVERLAY_TARGET,
    PAYMENT_CONFIG_TARGET,
    PREVIEWED_STATE,
    SUBSCRIPTION_TARGET,
    moment_in,
)
from apps.tenants.selectors.organizations import organization_of_workspace

_STAFF_ROLES = frozenset({Role.STAFF_READER, *PLATFORM_LADDER})
_MOST_CHANGES = 10


@dataclass(frozen=True, slots=True)
class SubscriptionAsOf:
    """The record as it was. Who changed it last, when and why stands beside it."""

    facts: SubscriptionFacts
    plan_id: PlanId
    started_at: datetime | None
    current_period_start: datetime | None
    ended_at: datetime | None
    cancel_at_period_end: bool
    provider_subscription_id: str
    changed_at: datetime
    changed_by: str
    reason: str


def subscription_as_of(workspace_id: WorkspaceId, moment: datetime) -> SubscriptionAsOf | None:
    """The workspace's subscription record as of `moment`; None where there was none yet."""
    entry = _last_subscription_entry(_entries_of(_organization(workspace_id), moment), workspace_id)
    return _subscription(entry) if entry else None


def facts_as_of(workspace_id: WorkspaceId, moment: datetime) -> LifecycleFacts:
    """Everything that the resolver rests on, as of `moment`; raises `NotFoundError` `unknown_workspace`."""
    organization_id = _organization(workspace_id)
    entries = _entries_of(organization_id, moment)
    subscription = _last_subscription_entry(entries, workspace_id)
    config = _payment_config(entries, moment)
    overlay = _after(
        entries.filter(
            workspace_id=workspace_id,
            target_type=OVERLAY_TARGET,
            event__in=[OVERLAY_SET.name, OVERLAY_CLEARED.name],
        ).first()
    )
    closing = _after(entries.filter(target_type=ORGANIZATION_TARGET, after__has_key="closed_at").first())
    overlay_state = overlay.get("manual_lifecycle_state")
    return LifecycleFacts(
        workspace_id=workspace_id,
        organization_id=organization_id,
        at=moment,
        organization_closed_at=moment_in(closing, "closed_at"),
        payment_status=PaymentStatus(config.get("payment_status", PaymentStatus.UNINITIALIZED)),
        grace_period_end_at=moment_in(config, "grace_period_end_at"),
        subscription_status=SubscriptionStatus(config.get("subscription_status", SubscriptionStatus.PRE_SUBSCRIPTION)),
        only_named_workspaces=speaks_of_named_workspaces(config.get("subscription_scope")),
        payment_config_version=config.get("version", 0),
        subscription=_subscription(subscription).facts if subscription else None,
        overlay=LifecycleState(overlay_state) if overlay_state else None,
        overlay_reason=overlay.get("manual_lifecycle_reason", ""),
    )


def usage_override_as_of(organization_id: OrganizationId, moment: datetime) -> str:
    """What all usage of the organization counted as by staff's word, as of `moment`; empty: as products report it."""
    config = _after(_entries_of(organization_id, moment).filter(target_type=PAYMENT_CONFIG_TARGET).first())
    return str(config.get("usage_category_override") or "")


def subscription_changes_since(workspace_id: WorkspaceId, version: int) -> tuple[Reason, ...]:
    """What happened to the record after the version that somebody saw, oldest first, in words."""
    entries = AuditEntry.objects.filter(
        workspace_id=workspace_id, target_type=SUBSCRIPTION_TARGET, after__version__gt=version
    ).order_by("sequence")
    return tuple(_describe(entry) for entry in entries)


def changes_between(workspace_id: WorkspaceId, since: datetime) -> tuple[Reason, ...]:
    """Every audited change of what a preview rests on that is newer than `since`, in words."""
    entries = AuditEntry.objects.filter(
        organization_id=_organization(workspace_id), target_type__in=list(PREVIEWED_STATE), recorded_at__gt=since
    ).order_by("sequence")
    return tuple(_describe(entry) for entry in entries if entry.workspace_id in {None, workspace_id})


def organization_changes_between(organization_id: OrganizationId, since: datetime) -> tuple[Reason, ...]:
    """Every audited change of the organization itself and of its payments that is newer than `since`, in words."""
    targets = [PAYMENT_CONFIG_TARGET, ORGANIZATION_TARGET]
    entries = AuditEntry.objects.filter(
        organization_id=organization_id, target_type__in=targets, recorded_at__gt=since
    ).order_by("sequence")
    return tuple(_describe(entry) for entry in entries)


def record_changes(record: str, since: datetime, *, names_staff: bool) -> tuple[str, ...]:
    """The audited changes, newer than `since`, of a record that is named `kind:id`, oldest first, in words.

    Without `names_staff`, for readers outside, staff are "staff" and their free text is left out.
    """
    kind, _, key = record.partition(":")
    if kind == PAYMENT_CONFIG_TARGET:
        found = OrganizationPaymentConfig.objects.filter(organization_id=key).values_list("pk", flat=True).first()
        key = str(found)
    entries = AuditEntry.objects.filter(target_type=kind, target_id=key, recorded_at__gt=since).order_by("sequence")
    return tuple(_describe(entry, names_staff=names_staff).fact for entry in entries[:_MOST_CHANGES])


def _describe(entry: AuditEntry, *, names_staff: bool = True) -> Reason:
    hidden = {"id", "version"} if names_staff else {"id", "version", "manual_lifecycle_reason"}
    changed = sorted(name for name, value in entry.after.items() if entry.before.get(name) != value)
    values = ", ".join(
        f"{name} {entry.before.get(name)} → {entry.after[name]}" for name in changed if name not in hidden
    )
    who = entry.actor_label if names_staff or entry.role not in _STAFF_ROLES else "staff"
    fact = f"{event_label(entry.event)} by {who} on {entry.recorded_at:%Y-%m-%d %H:%M:%S} ({values})"
    return Reason("changed_since", "deny", fact, f"audit_entry:{entry.pk}")


def _organization(workspace_id: WorkspaceId) -> OrganizationId:
    organization_id = organization_of_workspace(workspace_id)
    if organization_id is None:
        raise unknown_workspace(workspace_id)
    return organization_id


def _entries_of(organization_id: OrganizationId, moment: datetime) -> QuerySet[AuditEntry]:
    """The organization's entries up to the moment, newest first. The chain's order decides among equal times."""
    return AuditEntry.objects.filter(organization_id=organization_id, recorded_at__lte=moment).order_by("-sequence")


def _last_subscription_entry(entries: QuerySet[AuditEntry], workspace_id: WorkspaceId) -> AuditEntry | None:
    return entries.filter(workspace_id=workspace_id, target_type=SUBSCRIPTION_TARGET).first()


def _payment_config(entries: QuerySet[AuditEntry], moment: datetime) -> Mapping[str, Any]:
    """The values of the payment config in the newest of these entries; empty where there is none."""
    entry = entries.filter(target_type=PAYMENT_CONFIG_TARGET).first()
    if entry is None or "subscription_scope" in entry.after:
        return _after(entry)
    # An entry from before this field, which a migration has filled without one: the row's unsigned versions tell.
    filled = (
        installed.get_model("subscriptions", "OrganizationPaymentConfigEvent")
        .objects.filter(
            pgh_obj=entry.target_id,
            pgh_context__isnull=True,
            pgh_created_at__lte=moment,
            version__gt=entry.after["version"],
        )
        .order_by("-version")
        .values("subscription_scope", "version")
        .first()
    )
    return {**entry.after, **(filled or {})}


def _after(entry: AuditEntry | None) -> Mapping[str, Any]:
    return entry.after if entry else {}


def _subscription(entry: AuditEntry) -> SubscriptionAsOf:
    values = entry.after
    return SubscriptionAsOf(
        facts=SubscriptionFacts(
            id=WorkspaceSubscriptionId(UUID(values["id"])),
            state=SubscriptionState(values["state"]),
            managed_by=ManagedBy(values["managed_by"]),
            version=values["version"],
            trial_ends_at=moment_in(values, "trial_ends_at"),
            current_period_end=moment_in(values, "current_period_end"),
        ),
        plan_id=PlanId(UUID(values["plan_id"])),
        started_at=moment_in(values, "started_at"),
        current_period_start=moment_in(values, "current_period_start"),
        ended_at=moment_in(values, "ended_at"),
        cancel_at_period_end=values["cancel_at_period_end"],
        provider_subscription_id=values["provider_subscription_id"],
        changed_at=entry.recorded_at,
        changed_by=entry.actor_label,
        reason=entry.reason,
    )
