"""What a cutover check has made stands in no list, file or figure of staff; its pages open by their address."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.dashboard import dashboard
from apps.backoffice.filters import ORGANIZATION_VAR
from apps.backoffice.registry import registered_pages
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, GrantType
from apps.credits.models import CreditAccount, ShadowDisagreement
from apps.credits.services import credit_grant
from apps.credits.services.grants import GrantParams
from apps.reporting.rules.document import ReportScope, Window
from apps.reporting.sections.access import read_access
from apps.tenants.models import Membership, Organization, Workspace
from tests.backoffice.credits.story import tell_story
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_organization, make_user, make_workspace

pytestmark = pytest.mark.django_db
SHADOW = "Cutover check of Red"


@pytest.fixture
def synthetic() -> Organization:
    """What a check has made, beside a customer of the same kind."""
    organizations = [make_organization(name) for name in ("Northwind", SHADOW)]
    for organization in organizations:
        make_workspace(organization)
        make_membership(organization, make_user())
    Organization.objects.filter(pk=organizations[1].pk).update(is_synthetic=True)
    return organizations[1]


@pytest.fixture
def client() -> Client:
    return client_of(Role.PLATFORM_ADMIN)


def pages_of(synthetic: Organization) -> dict[str, object]:
    return {
        "tenants_organization": synthetic.pk,
        "tenants_workspace": Workspace.objects.get(organization=synthetic).pk,
        "tenants_membership": Membership.objects.get(organization=synthetic).pk,
        "credits_creditaccount": CreditAccount.objects.get(organization=synthetic).pk,
    }


def test_lists_and_files_leave_it_out_and_its_pages_open(client: Client, synthetic: Organization) -> None:
    for prefix, key in pages_of(synthetic).items():
        listed = client.get(reverse(f"admin:{prefix}_changelist")).content.decode()
        assert "Northwind" in listed
        assert SHADOW not in listed, prefix
        assert SHADOW in client.get(reverse(f"admin:{prefix}_change", args=(key,))).content.decode()
        if prefix == "tenants_membership":
            continue
        answer: Any = client.get(reverse(f"admin:{prefix}_list_file"))
        content = b"".join(answer.streaming_content).decode()
        assert "Northwind" in content
        assert SHADOW not in content, prefix


# Of pages with a filter by organization, those whose records no cutover check makes.
OF_PROVIDERS = {
    "payments_providerinvoice", "payments_providercustomer", "payments_providerdispute", "payments_usagefault",
    "payments_webhookevent", "reporting_paymentcontradiction", "tenants_impersonation", "credits_balanceimport",
}  # fmt: skip


def test_every_list_by_organization_says_whom_it_leaves_out() -> None:
    pages = {page.route_prefix: page for page in registered_pages()}
    by_organization = {
        prefix for prefix, page in pages.items()
        if any(ORGANIZATION_VAR in declared.parameters for declared in page.declared_filters())
    }  # fmt: skip
    assert {prefix for prefix in by_organization if not pages[prefix].listed} == by_organization & OF_PROVIDERS


def test_entries_grants_and_the_log_leave_it_out_unless_they_are_asked_for_it(
    client: Client, synthetic: Organization
) -> None:
    name = synthetic.name
    for organization in Organization.objects.all():
        account = AccountRef(AccountType.ORGANIZATION, organization.pk)
        params = GrantParams(grant_type=GrantType.BONUS, amount=MICRO, note=f"for {organization.name}")
        credit_grant(console_context(), key=uuid.uuid4().hex, account=account, params=params)
    for prefix in ("credits_creditentry", "credits_creditgrant", "core_auditentry"):
        path = reverse(f"admin:{prefix}_changelist")
        shown = client.get(path).content.decode()
        assert ("Northwind" in shown, name in shown) == (True, False), prefix
        named = client.get(path, {"organization": str(synthetic.pk)}).content.decode()
        assert ("Northwind" in named, name in named) == (False, True), prefix
    entry = AuditEntry.objects.filter(organization_id=synthetic.pk).latest("sequence")
    assert name in client.get(reverse("admin:core_auditentry_changelist"), {"q": str(entry.pk)}).content.decode()


def test_the_dashboard_counts_customers_alone(client: Client, synthetic: Organization) -> None:
    request = client.get(reverse("admin:index")).wsgi_request
    figures = {figure.label: figure.value for figure in dashboard(request)["figures"]}
    assert (figures["Organizations"], figures["Workspaces"]) == ("1", "1")


@pytest.mark.parametrize("unreal", ["is_demo", "is_synthetic"])
def test_the_platforms_report_counts_disagreements_about_customers_alone(unreal: str) -> None:
    tell_story()
    other = make_organization(is_demo=unreal == "is_demo")
    Organization.objects.filter(pk=other.pk).update(is_synthetic=unreal == "is_synthetic")
    now = clock.now()
    window = Window(now - timedelta(days=1), now + timedelta(days=1))

    def shown() -> int:
        section = read_access(ReportScope(None, "Platform", "UTC"), now.date(), window)
        (group,) = (group for group in section.groups if group.key == "shadow")
        return sum(int(str(line.value)) for line in group.lines)

    seen = ShadowDisagreement.objects.count()
    assert seen > 0
    assert shown() == seen
    row = ShadowDisagreement.objects.order_by("pk").first()
    assert row is not None
    row._state.adding, row.pk, row.organization_id = True, None, other.pk
    row.save(force_insert=True)
    assert (shown(), ShadowDisagreement.objects.count()) == (seen, seen + 1)
