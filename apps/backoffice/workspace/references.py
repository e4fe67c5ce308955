"""Links for the records that decisions name, such as "workspace:<uuid>"."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from django.db.models import Model
from django.urls import reverse
from django.utils.safestring import SafeString

from apps.backoffice.cells import code, link, list_url, page_url_of
from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.credits.models import CreditAccount, CreditPolicy
from apps.tenants.models import Membership, MembershipDrift, Organization, ReconciliationRun, User, Workspace

_PAGES: Mapping[str, tuple[str, type[Model]]] = {
    "organization": ("organization", Organization),
    "payment_config": ("payment config", Organization),  # one each, shown on the organization's page
    "workspace": ("workspace", Workspace),
    "user": ("user", User),
    "membership": ("membership", Membership),
    "membership_drift": ("item of drift", MembershipDrift),
    "reconciliation_run": ("reconciliation run", ReconciliationRun),
    "audit_entry": ("audit entry", AuditEntry),
    "credit_policy": ("credit policy", CreditPolicy),
    "credit_account": ("credit account", CreditAccount),
}


def reference_link(record: str, workspace_id: WorkspaceId | None = None) -> SafeString:
    """A link to the record's page, or the plain text where it has none."""
    kind, _, key = record.partition(":")
    if kind == "workspace_subscription" and workspace_id is not None:
        return link(page_url_of(Workspace, workspace_id), "subscription record")
    # A membership that was never there has no id: the decision names the pair, and the list shows what is there now.
    if kind == "membership" and ":" in key:
        organization_id, _, user_id = key.partition(":")
        return link(list_url(Membership, organization=organization_id, user=user_id), "membership")
    known = _PAGES.get(kind)
    if known is None or not key:
        return code(record)
    return link(page_url_of(known[1], key), known[0])


def why_url(workspace_id: object, at: str = "") -> str:
    """The page "Why?" of the workspace, now or as of a moment."""
    url = reverse("admin:tenants_workspace_why", args=(workspace_id,))
    return f"{url}?{urlencode({'at': at})}" if at else url
