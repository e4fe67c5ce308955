"""What an export of an organization holds, table by table, and what it leaves out with the reason.

A test walks all models: one that belongs to an organization and stands in neither list fails it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.apps import apps
from django.db.models import BinaryField, Field, Model, QuerySet

from apps.backoffice.models import TaskDecision
from apps.connectors import models as connectors
from apps.core.audit.secrecy import names_secret
from apps.core.models import AuditChain, AuditEntry, JobRun, OutboxItem
from apps.credits import models as ledger
from apps.payments import models as payments
from apps.reporting import models as reporting
from apps.subscriptions import models as subscriptions
from apps.tenants import models as tenants


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one table. `organization` is the look-up from a row to the organization's id.

    `only` names the columns, where not all are the organization's business; `without` those that are not. A table that
    several organizations share (`is_shared`) gives the rows that the organization has to do with.
    """

    name: str
    model: type[Model]
    organization: str
    only: tuple[str, ...] = ()
    without: frozenset[str] = frozenset()
    has_sheet: bool = False
    is_shared: bool = False

    @property
    def fields(self) -> list[Field[Any, Any]]:
        """The columns, without any that holds bytes or a secret."""
        return [
            field
            for field in self.model._meta.concrete_fields
            if (field.attname in self.only if self.only else field.attname not in self.without)
            and not isinstance(field, BinaryField)
            and not names_secret(field.attname)
        ]

    def rows_of(self, organization_id: object) -> QuerySet[Any]:
        """In the order of the primary key."""
        table: QuerySet[Any] = QuerySet(self.model)
        rows = table.filter(**{self.organization: organization_id})
        if self.is_shared:
            rows = table.filter(pk__in=rows.values("pk"))
        return rows.order_by("pk")


_OF_WORKSPACE, _OF_CONNECTOR = "workspace__organization", "connector__workspace__organization"
# The mirror's own book-keeping.
_NEWS = frozenset({"news_rank", "asked_ticket", "answered_ticket"})
# Who changed a row and why, as one JSON; the audit entry of the change tells it, without the names of staff.
_SIGNED = frozenset({"pgh_context"})

PARTS: tuple[Part, ...] = (
    Part("organization", tenants.Organization, "pk"),
    Part("workspaces", tenants.Workspace, "organization", without=frozenset({"manual_lifecycle_reason"})),
    Part("memberships", tenants.Membership, "organization", has_sheet=True),
    Part("removed_memberships", tenants.MembershipRemoval, "organization"),
    Part(
        "people",
        tenants.User,
        "memberships__organization",
        only=("id", "email", "name", "created_at"),
        has_sheet=True,
        is_shared=True,
    ),
    Part("products", tenants.Product, "relations__organization", only=("id", "slug", "name"), is_shared=True),
    Part("mail_choices", tenants.NoticeChoice, "organization"),
    Part("product_relations", tenants.ProductRelation, "organization"),
    Part("billing_mode_exceptions", tenants.BillingModeException, "organization"),
    Part(
        "plans",
        subscriptions.Plan,
        "subscriptions__workspace__organization",
        only=("id", "slug", "name", "price_minor", "currency", "interval"),
        is_shared=True,
    ),
    Part("subscriptions", subscriptions.WorkspaceSubscription, _OF_WORKSPACE, has_sheet=True),
    Part(
        "subscription_history",
        apps.get_model("subscriptions.WorkspaceSubscriptionEvent"),
        _OF_WORKSPACE,
        without=_SIGNED,
    ),
    Part("payment_config", subscriptions.OrganizationPaymentConfig, "organization"),
    Part(
        "payment_config_history",
        apps.get_model("subscriptions.OrganizationPaymentConfigEvent"),
        "organization",
        without=_SIGNED,
    ),
    Part("pending_changes", subscriptions.PendingChange, _OF_WORKSPACE),
    Part("provider_evidence", subscriptions.ProviderEvidence, "organization"),
    Part("decisions", subscriptions.DecisionReceipt, "organization_id"),
    Part("customers", payments.ProviderCustomer, "organization", without=_NEWS),
    Part("payment_methods", payments.ProviderPaymentMethod, "organization", without=_NEWS),
    Part("provider_subscriptions", payments.ProviderSubscription, "organization", without=_NEWS),
    Part("invoices", payments.ProviderInvoice, "organization", without=_NEWS, has_sheet=True),
    Part("disputes", payments.ProviderDispute, "organization", without=_NEWS, has_sheet=True),
    Part("refunds", payments.ProviderRefund, "organization", without=_NEWS, has_sheet=True),
    Part("grace_anchors", payments.GraceAnchor, "organization"),
    Part("credit_stops", payments.CreditStop, "organization"),
    Part("billing_events", payments.BillingEvent, "organization"),
    Part("credit_account", ledger.CreditAccount, "pk"),
    Part("credit_grants", ledger.CreditGrant, "account", has_sheet=True),
    Part("credit_entries", ledger.CreditEntry, "account", has_sheet=True),
    Part("grant_burns", ledger.GrantBurn, "grant__account"),
    Part("uncovered_charges", ledger.UncoveredCharge, "account"),
    Part("free_quantities", ledger.FreeQuantity, "account"),
    Part("allowance_grants", ledger.AllowanceGrant, "grant__account"),
    Part("holds", ledger.Hold, "account", has_sheet=True),
    Part("connectors", connectors.Connector, _OF_WORKSPACE, has_sheet=True),
    Part("connector_history", apps.get_model("connectors.ConnectorVersion"), _OF_WORKSPACE, without=_SIGNED),
    Part(
        "connector_credentials",
        connectors.ConnectorCredential,
        _OF_CONNECTOR,
        only=("id", "connector_id", "kind", "expires_at", "stored_at"),
    ),
    Part("connector_timeline", connectors.ConnectorEvent, _OF_CONNECTOR),
    Part("sync_runs", connectors.SyncRun, _OF_CONNECTOR, without=frozenset({"cursor", "actor_id", "token_id"})),
    Part("billing_records", connectors.BillingRecord, _OF_CONNECTOR, without=frozenset({"seen_by"}), has_sheet=True),
    Part("record_adjustments", connectors.RecordAdjustment, _OF_CONNECTOR),
    Part("month_totals", connectors.MonthTotal, _OF_CONNECTOR, has_sheet=True),
    Part("reports", reporting.DailyReport, "organization"),
    Part("report_recipients", reporting.ReportRecipient, "organization", has_sheet=True),
    Part("report_schedule", reporting.ReportSchedule, "organization"),
    Part("report_sheet", reporting.ReportSheet, "organization"),
    Part("alert_settings", reporting.AlertSettings, "organization"),
    Part("alert_thresholds", reporting.AlertThreshold, "settings__organization"),
    Part("audit_entries", AuditEntry, "organization_id"),
)

_MACHINERY = "our machinery's own; its effects stand in other files"
_COUNTED = "counted from what other files hold"
_OPERATORS = "the operator's own work or figures"
LEFT_OUT: Mapping[type[Model], str] = MappingProxyType(
    {
        AuditChain: _MACHINERY,
        JobRun: _MACHINERY,
        OutboxItem: _MACHINERY,
        tenants.SignInLink: "keys to the door, for a few days",
        tenants.MembershipDrift: _OPERATORS,
        tenants.ReportedMember: _OPERATORS,
        tenants.BillingModeChange: _OPERATORS,
        tenants.Impersonation: "the audit log tells when staff viewed the pages as whom",
        subscriptions.WorkspaceNote: _OPERATORS,
        ledger.EntrySeal: "hashes by which the operator proves the entries",
        ledger.ErasedEntry: "hashes by which the operator proves the entries",
        ledger.ImportedBalance: "its grant is among the grants",
        ledger.ShadowDisagreement: _OPERATORS,
        connectors.AuthorizationAttempt: "keys to the door, for some minutes",
        connectors.MonthState: _MACHINERY,
        connectors.SeenRecords: _MACHINERY,
        connectors.ChangedMonth: _MACHINERY,
        payments.WebhookEvent: "the provider's messages; what they say stands in customers, invoices and so on",
        payments.Review: _OPERATORS,
        payments.TrackingPosition: _MACHINERY,
        payments.UsagePosition: _MACHINERY,
        payments.UsageFault: _OPERATORS,
        reporting.AccountRunway: _COUNTED,
        reporting.BooksStatement: _COUNTED,
        reporting.RollupState: _MACHINERY,
        reporting.RepairedDay: _MACHINERY,
        reporting.CreditRollup: _COUNTED,
        reporting.ConnectorRollup: _COUNTED,
        reporting.OrganizationRevenue: _OPERATORS,
        reporting.PaymentContradiction: _OPERATORS,
        TaskDecision: _OPERATORS,
    }
)
