"""Support finds the customer from whatever it has in hand, by an index each time."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.backoffice.search.terms import read_term
from apps.core.enums import MembershipRole, Role
from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.credits.enums import OnInsufficient
from apps.credits.models import CreditEntry
from apps.credits.services import credits_consume
from apps.payments.models import ProviderInvoice
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.services import note_add
from apps.tenants.models import Organization, Workspace
from tests.backoffice.credits.story import tell_story
from tests.backoffice.people import client_of
from tests.backoffice.records import MAKERS
from tests.contexts import console_context
from tests.credits.cast import consumption
from tests.factories.tenants import make_membership, make_organization, make_user, make_workspace
from tests.subscriptions.cast import lead_to, make_place, make_plan


@pytest.mark.parametrize(
    ("typed", "text", "words"),
    [
        (" Jansen ", "Jansen", "'jansen':*"),
        ("de Vries", "de Vries", "'de' & 'vries':*"),
        ("SUP-4711", "SUP-4711", "'sup':* & '4711':*"),
        ("aldgateanalytics.example", "aldgateanalytics.example", "'aldgateanalytics':* & 'example':*"),
        ("x'); DROP", "x'); DROP", "'x' & 'drop':*"),
        ("Söner & Co", "Söner & Co", "'söner':* & 'co'"),
        ("!!! :* |", "!!! :* |", ""),
        ("https://dashboard.stripe.com/test/customers/cus_9s6XKzkNRiz8i3", "cus_9s6XKzkNRiz8i3", None),
        ("https://dashboard.stripe.com/invoices/in_1MtHbELkdIwHu7ix?x=1", "in_1MtHbELkdIwHu7ix", None),
        ("https://billing.example/", "https://billing.example/", None),
        ("\x00", "", ""),
    ],
)
def test_reads_what_was_typed(typed: str, text: str, words: str | None) -> None:
    term = read_term(typed)
    assert term.text == text
    if words is not None:
        assert term.words == words


def found(client: Client, term: str) -> str:
    answer = client.get(reverse("admin:search"), {"s": term})
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db
@pytest.mark.slow
def test_finds_the_customer_by_what_support_has_in_hand() -> None:
    place = make_place()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(make_plan().pk))
    organization = Organization.objects.get(pk=place.organization_id)
    Organization.objects.filter(pk=organization.pk).update(name="Aldgate Söner Analytics")
    workspace = Workspace.objects.get(pk=place.workspace_id)
    person = make_user("eva.jansen@aldgateanalytics.example", name="Eva Jansen")
    make_membership(organization, person, MembershipRole.OWNER)
    WorkspaceSubscription.objects.filter(workspace=workspace).update(
        provider="stripe", provider_subscription_id="sub_1MowQVLkdIwHu7ix"
    )
    OrganizationPaymentConfig.objects.filter(organization=organization).update(
        payment_provider_id="cus_9s6XKzkNRiz8i3", orb_customer_id="orb-aldgate"
    )
    invoice = MAKERS[ProviderInvoice]()
    ProviderInvoice.objects.filter(pk=invoice.pk).update(organization=organization, number="CH-2CC239")
    note_add(console_context(), workspace_id=WorkspaceId(workspace.pk), text="Asked about VAT, ticket SUP-4711.")
    client = client_of(Role.SUPPORT)
    terms = ["jansen", "Eva Jansen", "aldgateanalytics.example", "Analytics", "söner", "cus_9s6XKzkNRiz8i3"]
    terms += ["orb-aldgate", "sub_1MowQVLkdIwHu7ix", "CH-2CC239", "ch-2cc", "SUP-4711", str(workspace.pk)]
    terms += ["https://dashboard.stripe.com/customers/cus_9s6XKzkNRiz8i3", str(person.pk)]
    hit = reverse("admin:tenants_organization_change", args=(organization.pk,))
    for term in terms:
        body = found(client, term)
        assert body.count(hit) == 1, term
        assert "Production: Active" in body, term
    assert hit not in found(client, "jansen wrong")
    assert hit not in found(client, "cus_9s6XKzkNRiz8i")


@pytest.mark.django_db
def test_finds_runs_requests_and_decisions() -> None:
    story = tell_story()
    credits_consume(
        story.context,
        consumption=consumption(story, operation="unit", run_id="run-8003", on_insufficient=OnInsufficient.RECORD),
    )
    entry = CreditEntry.objects.filter(account_id=story.organization.pk).latest("sequence")
    client = client_of(Role.SUPPORT)
    body = found(client, entry.run_id)
    assert reverse("admin:credits_creditentry_change", args=(entry.pk,)) in body
    assert reverse("admin:tenants_organization_change", args=(story.organization.pk,)) in body
    change = AuditEntry.objects.filter(organization_id=story.organization.pk).latest("sequence")
    assert reverse("admin:core_auditentry_change", args=(change.pk,)) in found(client, change.request_id)


@pytest.mark.django_db
@pytest.mark.slow
def test_every_source_is_served_by_an_index() -> None:
    """Each statement reads few pages at any size: none of them looks through a table."""
    for number in range(20):
        make_workspace(make_organization(name=f"Filler {number}"))
    client = client_of(Role.SUPPORT)
    for term in ("filler", "cus_123456", "sup-4711", str(Organization.objects.first().pk)):  # type: ignore[union-attr]
        with CaptureQueriesContext(connection) as captured:
            found(client, term)
        own = [query["sql"] for query in captured if query["sql"].startswith("SELECT") and " LIMIT " in query["sql"]]
        assert own
        for statement in own:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("EXPLAIN " + statement)
                plan = "\n".join(row[0] for row in cursor.fetchall())
            assert not [table for table in _BIG if f"Seq Scan on {table}" in plan], (statement, plan)


_BIG = (
    "core_auditentry",
    "credits_creditentry",
    "subscriptions_decisionreceipt",
    "payments_",
    "tenants_organization",
    "tenants_workspace",
    "tenants_user",
    "tenants_membership",
    "subscriptions_workspace",
)


@pytest.mark.django_db
def test_lists_are_filtered_by_the_name_of_an_organization() -> None:
    kept = make_organization(name="Aldgate Analytics")
    make_workspace(kept, "Looms")
    make_workspace(make_organization(name="Bowline Works"), "Ropes")
    client = client_of(Role.SUPPORT)
    url = reverse("admin:tenants_workspace_changelist")
    for text in ("aldgate", "ANALYTICS", kept.slug, str(kept.pk)):
        body = client.get(url, {"organization": text}).content.decode()
        assert "Looms" in body
        assert "Ropes" not in body
    assert "There is no organization called" in client.get(url, {"organization": "nobody"}).content.decode()
    make_organization(name="Aldgate Bakery")
    body = client.get(url, {"organization": "aldgate"}).content.decode()
    assert "Several organizations" in body
    assert "Looms" not in body
