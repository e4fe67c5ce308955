"""The workspace with every record that its lifecycle depends on, now or as of a moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.core import clock
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.moments import MomentError, read_iso_moment
from apps.payments.models import Review
from apps.payments.selectors.reviews import reviews_of
from apps.payments.status_sync import open_invoices
from apps.subscriptions.enums import PaymentStatus, SubscriptionState
from apps.subscriptions.history import SubscriptionAsOf, facts_as_of, subscription_as_of
from apps.subscriptions.models import OrganizationPaymentConfig, PendingChange, WorkspaceSubscription
from apps.subscriptions.rules.lifecycle import LifecycleDecision, LifecycleFacts, resolve
from apps.subscriptions.selectors.lifecycle import workspace_facts
from apps.subscriptions.selectors.records import open_pending_change, payment_config_of, workspace_subscription_of
from apps.tenants.models import Organization, Workspace


@dataclass(frozen=True, slots=True)
class WorkspaceSubject:
    """One workspace at one moment. `as_of` is None for now; else `past` holds the subscription as it was."""

    workspace: Workspace
    facts: LifecycleFacts
    decision: LifecycleDecision
    as_of: datetime | None = None
    subscription: WorkspaceSubscription | None = None
    config: OrganizationPaymentConfig | None = None
    pending: PendingChange | None = None
    past: SubscriptionAsOf | None = None
    reviews: Sequence[Review] = ()
    has_open_invoices: bool = False

    @property
    def workspace_id(self) -> WorkspaceId:
        return WorkspaceId(self.workspace.pk)

    @property
    def organization(self) -> Organization:
        return self.workspace.organization

    @property
    def title(self) -> str:
        return f"{self.organization.name} · {self.workspace.name}"

    @property
    def organization_id(self) -> OrganizationId:
        return OrganizationId(self.workspace.organization_id)

    @property
    def state(self) -> SubscriptionState | None:
        return self.facts.subscription.state if self.facts.subscription else None

    @property
    def status(self) -> PaymentStatus:
        return self.facts.payment_status

    @property
    def subscription_version(self) -> int:
        """The version of the subscription record; 0 without one."""
        return self.subscription.version if self.subscription else 0


@dataclass(frozen=True, slots=True)
class AsOf:
    """What an "as of" field holds: the moment to show, or `problem`, why nothing can be shown as of it."""

    text: str = ""
    moment: datetime | None = None
    problem: str = ""


def read_as_of(text: str, workspace: Workspace, now: datetime) -> AsOf:
    """Read the field, which is in UTC. A future moment, or one before the workspace was created, can't be shown."""
    text = text.strip()
    if not text:
        return AsOf()
    try:
        moment = read_iso_moment(text)
    except MomentError:
        return AsOf(text, problem="That is not a date and time. Choose a moment of the past.")
    if moment > now:
        return AsOf(text, problem="That moment is in the future. Choose one of the past.")
    if moment < workspace.created_at:
        created = f"{workspace.created_at:%-d %B %Y, %H:%M:%S} UTC"
        return AsOf(text, problem=f"This workspace did not exist then. It was created on {created}.")
    return AsOf(moment.strftime("%Y-%m-%dT%H:%M"), moment)


def subject_now(workspace: Workspace) -> WorkspaceSubject:
    """The workspace as it is, in a constant number of queries. Pass the workspace with its organization."""
    workspace_id = WorkspaceId(workspace.pk)
    facts = workspace_facts(workspace_id, at=clock.now())
    return WorkspaceSubject(
        workspace=workspace,
        facts=facts,
        decision=resolve(facts),
        subscription=workspace_subscription_of(workspace_id),
        config=payment_config_of(OrganizationId(workspace.organization_id)),
        pending=open_pending_change(workspace_id),
        reviews=tuple(reviews_of(workspace)),
        has_open_invoices=open_invoices(OrganizationId(workspace.organization_id)).exists(),
    )


def subject_as_of(workspace: Workspace, moment: datetime) -> WorkspaceSubject:
    """The workspace as it was, rebuilt from the audit log (spec 03, History)."""
    workspace_id = WorkspaceId(workspace.pk)
    facts = facts_as_of(workspace_id, moment)
    return WorkspaceSubject(
        workspace=workspace,
        facts=facts,
        decision=resolve(facts),
        as_of=moment,
        past=subscription_as_of(workspace_id, moment),
    )
