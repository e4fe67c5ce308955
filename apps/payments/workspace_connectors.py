"""Switches the connectors of one workspace off when its own subscription ends, and on when it starts again (spec 04).

The record of a workspace ends and starts in two ways: by whoever changes it, and by the sync with the mirror, which may
end it and start it in one go when it follows another subscription; that switches nothing. Both lock the connectors
before the audit chain, and tell the owners once for each end.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.urls import reverse

from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.connectors.selectors.connectors import connectors_for_update
from apps.connectors.services import connectors_auto_disable, connectors_restore
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.mails import Mail, mail_payload, public_address
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.payments.rules.statuses import SWITCHING_VERBS, CauseChange, cause_of_record, cause_of_verb, is_told_already
from apps.subscriptions.contracts import HandToProvider, SubscriptionChange
from apps.subscriptions.enums import SubscriptionState, SubscriptionStatus
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.tenants.enums import NoticeKind
from apps.tenants.models import Workspace
from apps.tenants.selectors.notices import notice_emails, notices_address

_MOST_NAMES = 20


def lock_connectors(workspace_id: WorkspaceId) -> None:
    """Lock the workspace's connectors before anything of a change is written: the audit chain is locked after them."""
    workspace = Workspace.objects.only("organization_id").get(pk=workspace_id)
    connectors_for_update(OrganizationId(workspace.organization_id), workspace_id)


def lock_connectors_of_change(*, workspace_id: WorkspaceId, change: SubscriptionChange) -> None:
    """The same for one change by people. A record that is handed back may end, or start again, by the mirror's word."""
    if change.verb in SWITCHING_VERBS or isinstance(change, HandToProvider):
        lock_connectors(workspace_id)


def settle_change(context: ExecutionContext, *, workspace_id: WorkspaceId, change: SubscriptionChange) -> None:
    """Switch what a change by anybody but a provider calls for."""
    _switch(context, workspace_id, cause_of_verb(change.verb))


def settle_sync(context: ExecutionContext, workspace_id: WorkspaceId, *, was: WorkspaceSubscription | None) -> None:
    """Switch what the sync with the mirror came to; `was` is the record before it."""
    record = WorkspaceSubscription.objects.filter(workspace=workspace_id).first()
    states = (SubscriptionState(row.state) if row is not None else None for row in (was, record))
    _switch(context, workspace_id, cause_of_record(*states))


def _switch(context: ExecutionContext, workspace_id: WorkspaceId, change: CauseChange | None) -> None:
    if change is None:
        return
    workspace = Workspace.objects.select_related("organization").get(pk=workspace_id)
    organization_id = OrganizationId(workspace.organization_id)
    locked = connectors_for_update(organization_id, workspace_id)
    enabled = [connector.pk for connector in locked if connector.status == ConnectorStatus.ENABLED]
    switch = connectors_auto_disable if change.is_arrival else connectors_restore
    switch(context, organization_id=organization_id, workspace_id=workspace_id, reason=change.reason)
    if change.is_arrival:
        _notify_ended(context, workspace, enabled)


def _notify_ended(context: ExecutionContext, workspace: Workspace, enabled: Sequence[UUID]) -> None:
    """Mail what the end has switched off; not where the organization's own end has just said it all."""
    organization, organization_id = workspace.organization, OrganizationId(workspace.organization_id)
    recipients = notice_emails(organization_id, NoticeKind.PAYMENTS)
    status = OrganizationPaymentConfig.objects.values_list("subscription_status", flat=True).get(
        organization=organization_id
    )
    if not recipients or is_told_already(SubscriptionStatus(status)):
        return
    switched = names_switched_off(enabled)
    version = WorkspaceSubscription.objects.values_list("version", flat=True).get(workspace=workspace)
    mail = Mail(
        subject=f"{'Its connectors are switched off' if switched else 'A workspace is read-only'}: {workspace.name}",
        paragraphs=[
            "Hello,",
            f"The subscription of the workspace {workspace.name} of {organization.name} has ended.",
            "The workspace is read-only. Nothing was deleted.",
            *([switched] if switched else []),
            "Start a subscription for it again. What we switched off is switched on again then.",
        ],
        url=public_address(reverse("billing-invoices", args=[workspace.slug])),
        link_text="Open the invoices",
        choose_url=notices_address(organization_id),
    )
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"workspace-ended:{workspace.pk}:{version}",
        payload=mail_payload(mail, to=recipients),
        organization_id=organization_id,
        is_demo=organization.is_demo,
    )


def names_switched_off(enabled: Sequence[UUID]) -> str:
    """A sentence with the names of those that were enabled and are not any more; empty without any."""
    off = Connector.objects.filter(pk__in=enabled).exclude(status=ConnectorStatus.ENABLED).order_by("name", "pk")
    names = [f"{name} ({workspace})" for name, workspace in off.values_list("name", "workspace__name")]
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"We switched off {', '.join(names[:_MOST_NAMES])}{more}."
