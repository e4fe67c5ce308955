"""Rows of every kind that has a page, made as the product makes them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet

from apps.connectors.models import Connector, SyncRun
from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.errors import ForbiddenError
from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.core.jobs import job_run_request
from apps.core.models import AuditEntry, JobRun, OutboxItem
from apps.core.outbox import outbox_enqueue
from apps.core.states import OutboxStatus
from apps.credits.models import (
    BalanceImport,
    CreditAccount,
    CreditEntry,
    CreditGrant,
    CreditPolicy,
    DifferenceMark,
    Hold,
    ShadowDisagreement,
    UncoveredCharge,
)
from apps.payments.enums import InvoiceStatus, UsageFaultKind, WebhookStatus
from apps.payments.models import ProviderCustomer, ProviderDispute, ProviderInvoice, UsageFault, WebhookEvent
from apps.reporting.models import PaymentContradiction
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import DecisionReceipt, Plan, WorkspaceNote
from apps.subscriptions.services import lifecycle_require, note_add
from apps.tenants.enums import ReconciliationStatus, ReportSource, StopReason
from apps.tenants.models import (
    CutoverRun,
    Impersonation,
    Membership,
    MembershipDrift,
    Organization,
    Product,
    ReconciliationRun,
    ServiceToken,
    User,
    Workspace,
)
from apps.tenants.services import member_upsert
from tests.backoffice.credits.cutover_records import make_balance_import, make_cutover_run, make_difference_mark
from tests.backoffice.credits.story import tell_story
from tests.connectors.cast import make_connector, make_sync_run
from tests.contexts import console_context, product_context, staff_context
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_product,
    make_staff,
    make_token,
    make_user,
    make_workspace,
)
from tests.reporting.contradictions import make_contradiction
from tests.subscriptions.cast import make_plan


def make_outbox_item(organization: Organization, *, status: OutboxStatus = OutboxStatus.PENDING) -> OutboxItem:
    """One e-mail to be sent for the organization."""
    with transaction.atomic():
        item = outbox_enqueue(
            console_context(OrganizationId(organization.pk)),
            kind="email.send",
            key=uuid.uuid4().hex,
            payload={"to": ["somebody@example.com"], "subject": "Hello"},
        )
    if status == OutboxStatus.PARKED:
        OutboxItem.objects.filter(pk=item.pk).update(
            status=status, attempts=5, finished_at=clock.now(), last_error="550 no such mailbox"
        )
        item.refresh_from_db()
    return item


def make_job_run() -> JobRun:
    """One run by hand, which nobody carries out."""
    return job_run_request(console_context(), name="drain-outbox")


def _member() -> Membership:
    return make_membership(make_organization(), make_user())


def _impersonation() -> Model:
    chosen, now = _member(), clock.real_now()
    who = {"staff": make_staff(), "member": chosen.user, "organization": chosen.organization}
    return Impersonation.objects.create(**who, reason="A call.", started_at=now, ends_at=now + timedelta(hours=1))


def _token() -> ServiceToken:
    make_token(make_product(f"product-{uuid.uuid4().hex[:8]}"))
    return ServiceToken.objects.latest("created_at")


def _entry() -> AuditEntry:
    organization = make_organization()
    return AuditEntry.objects.filter(organization_id=organization.pk).latest("sequence")


def _note() -> Model:
    workspace = make_workspace(make_organization())
    return note_add(console_context(), workspace_id=WorkspaceId(workspace.pk), text="Calls on Fridays.")


def _decision() -> Model:
    workspace = make_workspace(make_organization())
    with suppress(ForbiddenError):
        lifecycle_require(staff_context(), workspace_id=WorkspaceId(workspace.pk), operation="connector.sync")
    return DecisionReceipt.objects.latest("created_at")


def _charge() -> Model:
    """A charge, which can be reversed."""
    account_id = tell_story().organization.pk
    return CreditEntry.objects.filter(account_id=account_id, amount__lt=0).latest("sequence")


def _reconciliation() -> Model:
    """A run that waits for a person, with its product's name in it."""
    product = make_product(f"product-{uuid.uuid4().hex[:8]}")
    run: ReconciliationRun = ReconciliationRun.objects.create(
        product=product,
        source=ReportSource.EXPORT,
        status=ReconciliationStatus.WAITING,
        stop_reason=StopReason.TRUNCATED,
        received=3,
        total=4,
        counts={"members": 3, "imported": 3},
        requested_by="scheduler:reconcile-memberships",
        created_at=clock.now(),
    )
    return run


def _membership_drift() -> Model:
    """A report about an owner, which changed nothing."""
    organization, owner = make_organization(), make_user()
    make_membership(organization, owner, MembershipRole.OWNER)
    product = make_product(f"product-{uuid.uuid4().hex[:8]}", organization)
    member_upsert(
        product_context(product, OrganizationId(organization.pk)),
        organization_id=OrganizationId(organization.pk),
        user_id=UserId(owner.pk),
        role=MembershipRole.VIEWER,
    )
    return MembershipDrift.objects.get(product=product)


def _in_credits(model: type[Model]) -> Callable[[], Model]:
    """The newest record of the kind, after one product's story in which every kind comes up."""

    def make() -> Model:
        organization = tell_story().organization
        field = {
            CreditPolicy: "product__relations__organization",
            CreditAccount: "pk",
            ShadowDisagreement: "organization_id",
        }.get(model, "account_id")
        found: Model | None = QuerySet(model).filter(**{field: organization.pk}).order_by("pk").first()
        assert found is not None
        return found

    return make


def make_event(status: WebhookStatus = WebhookStatus.FAILED, **values: Any) -> WebhookEvent:
    """One stored event, parked unless said otherwise; its payload holds what must not be shown."""
    now = clock.now()
    name = f"evt_{uuid.uuid4().hex}"
    first: dict[str, Any] = {
        "provider": Provider.STRIPE,
        "event_id": name,
        "type": "invoice.payment_failed",
        "payload": {
            "id": name,
            "data": {"object": {"id": "in_1", "customer_email": "ann@northwind.example", "client_secret": "pi_secret"}},
        },
        "occurred_at": now,
        "received_at": now,
        "status": status,
        "attempts": 12,
        "error": "There is no active plan with the slug 'team'.",
        "request_id": "a-request",
    }
    return WebhookEvent.objects.create(**{**first, **values})


def make_invoice(organization: Organization, **values: Any) -> ProviderInvoice:
    """One mirrored invoice, open unless said otherwise."""
    now = clock.now()
    first: dict[str, Any] = {
        "provider": Provider.STRIPE,
        "external_id": f"in_{uuid.uuid4().hex}",
        "customer_external_id": "cus_1",
        "organization": organization,
        "news_at": now,
        "status": InvoiceStatus.OPEN,
        "number": "NW-0001",
        "currency": "EUR",
        "amount_due_minor": 4900,
        "amount_remaining_minor": 4900,
        "total_minor": 4900,
        "issued_at": now,
    }
    invoice: ProviderInvoice = ProviderInvoice.objects.create(**{**first, **values})
    return invoice


def _customer() -> Model:
    customer: ProviderCustomer = ProviderCustomer.objects.create(
        provider=Provider.STRIPE,
        external_id=f"cus_{uuid.uuid4().hex}",
        organization=make_organization(),
        news_at=clock.now(),
    )
    return customer


def _dispute() -> Model:
    dispute: ProviderDispute = ProviderDispute.objects.create(
        provider=Provider.STRIPE,
        external_id=f"dp_{uuid.uuid4().hex}",
        organization=make_organization(),
        news_at=clock.now(),
        status="needs_response",
        reason="product_not_received",
        charge_external_id="ch_1",
        amount_minor=4900,
        currency="EUR",
    )
    return dispute


def _usage_fault() -> Model:
    """A charge that Orb refused."""
    entry = _charge()
    assert isinstance(entry, CreditEntry)
    assert entry.product_id is not None
    fault: UsageFault = UsageFault.objects.create(
        entry_id=entry.pk,
        organization_id=entry.account_id,
        product_id=entry.product_id,
        kind=UsageFaultKind.REFUSED,
        sentence="timestamp is older than the grace period",
        occurred_at=entry.occurred_at,
        found_at=clock.now(),
    )
    return fault


MAKERS: dict[type[Model], Callable[[], Model]] = {
    Organization: make_organization,
    Workspace: lambda: make_workspace(make_organization()),
    User: make_user,
    Membership: _member,
    Plan: lambda: make_plan(f"plan-{uuid.uuid4().hex[:8]}"),
    Connector: lambda: make_connector(make_workspace(make_organization())),
    WorkspaceNote: _note,
    DecisionReceipt: _decision,
    Product: lambda: make_product(f"product-{uuid.uuid4().hex[:8]}", make_organization()),
    ServiceToken: _token,
    ReconciliationRun: _reconciliation,
    BalanceImport: make_balance_import,
    CutoverRun: make_cutover_run,
    DifferenceMark: make_difference_mark,
    MembershipDrift: _membership_drift,
    ProviderInvoice: lambda: make_invoice(make_organization()),
    ProviderCustomer: _customer,
    ProviderDispute: _dispute,
    UsageFault: _usage_fault,
    WebhookEvent: make_event,
    OutboxItem: lambda: make_outbox_item(make_organization()),
    JobRun: make_job_run,
    SyncRun: make_sync_run,
    AuditEntry: _entry,
    Impersonation: _impersonation,
    CreditPolicy: _in_credits(CreditPolicy),
    CreditAccount: _in_credits(CreditAccount),
    CreditGrant: _in_credits(CreditGrant),
    CreditEntry: _charge,
    Hold: _in_credits(Hold),
    UncoveredCharge: _in_credits(UncoveredCharge),
    ShadowDisagreement: _in_credits(ShadowDisagreement),
    PaymentContradiction: make_contradiction,
}
