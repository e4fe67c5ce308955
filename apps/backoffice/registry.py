"""The records that have pages on the staff plane. This is the only place that registers one."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.db.models import Model

from apps.backoffice.pages.audit import AuditEntryAdmin
from apps.backoffice.pages.balance_imports import BalanceImportAdmin
from apps.backoffice.pages.connectors import ConnectorAdmin
from apps.backoffice.pages.contradictions import PaymentContradictionAdmin
from apps.backoffice.pages.credit_accounts import CreditAccountAdmin
from apps.backoffice.pages.credit_entries import CreditEntryAdmin
from apps.backoffice.pages.credit_policies import CreditPolicyAdmin
from apps.backoffice.pages.credit_records import CreditGrantAdmin, HoldAdmin, UncoveredChargeAdmin
from apps.backoffice.pages.cutover_runs import CutoverRunAdmin
from apps.backoffice.pages.decisions import DecisionReceiptAdmin
from apps.backoffice.pages.difference_marks import DifferenceMarkAdmin
from apps.backoffice.pages.disagreements import ShadowDisagreementAdmin
from apps.backoffice.pages.impersonations import ImpersonationAdmin
from apps.backoffice.pages.inbox import WebhookEventAdmin
from apps.backoffice.pages.job_runs import JobRunAdmin
from apps.backoffice.pages.membership_drift import MembershipDriftAdmin
from apps.backoffice.pages.notes import WorkspaceNoteAdmin
from apps.backoffice.pages.organizations import OrganizationAdmin
from apps.backoffice.pages.outbox import OutboxItemAdmin
from apps.backoffice.pages.people import MembershipAdmin, UserAdmin
from apps.backoffice.pages.plans import PlanAdmin
from apps.backoffice.pages.products import ProductAdmin
from apps.backoffice.pages.provider_objects import ProviderCustomerAdmin, ProviderDisputeAdmin, ProviderInvoiceAdmin
from apps.backoffice.pages.reconciliation import ReconciliationRunAdmin
from apps.backoffice.pages.sync_runs import SyncRunAdmin
from apps.backoffice.pages.tokens import ServiceTokenAdmin
from apps.backoffice.pages.usage_faults import UsageFaultAdmin
from apps.backoffice.pages.workspaces import WorkspaceAdmin
from apps.backoffice.staff_admin import StaffAdmin
from apps.connectors.models import Connector, SyncRun
from apps.core.models import AuditEntry, JobRun, OutboxItem
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
from apps.payments.models import ProviderCustomer, ProviderDispute, ProviderInvoice, UsageFault, WebhookEvent
from apps.reporting.models import PaymentContradiction
from apps.subscriptions.models import DecisionReceipt, Plan, WorkspaceNote
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

PAGES: dict[type[Model], type[StaffAdmin[Any]]] = {
    Organization: OrganizationAdmin,
    Workspace: WorkspaceAdmin,
    User: UserAdmin,
    Membership: MembershipAdmin,
    Plan: PlanAdmin,
    Connector: ConnectorAdmin,
    WorkspaceNote: WorkspaceNoteAdmin,
    Product: ProductAdmin,
    ServiceToken: ServiceTokenAdmin,
    ReconciliationRun: ReconciliationRunAdmin,
    MembershipDrift: MembershipDriftAdmin,
    ProviderInvoice: ProviderInvoiceAdmin,
    ProviderCustomer: ProviderCustomerAdmin,
    ProviderDispute: ProviderDisputeAdmin,
    UsageFault: UsageFaultAdmin,
    WebhookEvent: WebhookEventAdmin,
    OutboxItem: OutboxItemAdmin,
    JobRun: JobRunAdmin,
    SyncRun: SyncRunAdmin,
    AuditEntry: AuditEntryAdmin,
    Impersonation: ImpersonationAdmin,
    DecisionReceipt: DecisionReceiptAdmin,
    CreditPolicy: CreditPolicyAdmin,
    CreditAccount: CreditAccountAdmin,
    CreditGrant: CreditGrantAdmin,
    CreditEntry: CreditEntryAdmin,
    Hold: HoldAdmin,
    UncoveredCharge: UncoveredChargeAdmin,
    PaymentContradiction: PaymentContradictionAdmin,
    ShadowDisagreement: ShadowDisagreementAdmin,
    BalanceImport: BalanceImportAdmin,
    CutoverRun: CutoverRunAdmin,
    DifferenceMark: DifferenceMarkAdmin,
}


def register_pages() -> None:
    for model, page in PAGES.items():
        if not admin.site.is_registered(model):
            admin.site.register(model, page)


def registered_pages() -> list[StaffAdmin[Any]]:
    """The page objects of the site, in the order of `PAGES`."""
    return [cast("StaffAdmin[Any]", admin.site.get_model_admin(model)) for model in PAGES]
