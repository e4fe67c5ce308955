"""Staff see parked events without secrets, invoices, the funnel and what needs a person; and process an event again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.payments.enums import BillingEventName, WebhookStatus
from apps.payments.models import WebhookEvent
from apps.payments.selectors.funnel import STAGES, funnel_of
from tests.backoffice.people import client_of
from tests.backoffice.records import make_event, make_invoice
from tests.factories.tenants import make_organization, make_workspace

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 4, 3, 12, tzinfo=UTC)


@pytest.fixture
def bill() -> Client:
    return client_of(Role.BILLING_OPERATIONS)


def url(event: WebhookEvent, verb: str = "") -> str:
    name = f"admin:payments_webhookevent_{verb or 'change'}"
    return reverse(name, kwargs={"object_id": event.pk})


def test_a_parked_event_shows_its_error_and_no_secret_and_no_person(bill: Client) -> None:
    event = make_event()
    text = bill.get(url(event)).content.decode()
    assert "There is no active plan" in text
    assert "Parked" in text
    assert "ann@northwind.example" not in text
    assert "pi_secret" not in text
    assert "in_1" in text


def test_process_again_puts_it_back_with_a_reason(bill: Client) -> None:
    event = make_event()
    assert bill.post(url(event, "process_again"), {"reason": ""}).status_code != 302
    event.refresh_from_db()
    assert event.status == WebhookStatus.FAILED
    bill.post(url(event, "process_again"), {"reason": "The plan is there now."})
    event.refresh_from_db()
    assert (event.status, event.attempts) == (WebhookStatus.RECEIVED, 0)
    assert AuditEntry.objects.filter(event="webhook_event.processed_again").count() == 1


def test_support_may_look_and_not_process_again() -> None:
    event, sue = make_event(), client_of(Role.SUPPORT)
    page = sue.get(url(event)).content.decode()
    assert "process-again" not in page
    assert sue.post(url(event, "process_again"), {"reason": "Please."}).status_code == 403
    event.refresh_from_db()
    assert event.status == WebhookStatus.FAILED


def test_the_first_page_counts_what_needs_a_person(bill: Client) -> None:
    for _ in range(2):
        make_event()
    make_event(WebhookStatus.UNMATCHED, customer_external_id="cus_9")
    text = bill.get(reverse("admin:index")).content.decode()
    for label, count in (("Parked events", 2), ("Unmatched events", 1)):
        figure = text.split(label)[1].split("</a>")[0]
        assert f"<b>{count}</b>" in figure


def test_the_workspace_page_shows_the_latest_invoices(bill: Client) -> None:
    organization = make_organization()
    workspace = make_workspace(organization)
    make_invoice(organization, number="NW-77", total_minor=123456)
    page = reverse("admin:tenants_workspace_change", kwargs={"object_id": workspace.pk})
    text = bill.get(page).content.decode()
    assert "NW-77" in text
    assert "1234.56\u00a0EUR" in text


def test_an_empty_list_tells_apart_whether_nothing_is_there_or_nothing_matches(bill: Client) -> None:
    inbox = reverse("admin:payments_webhookevent_changelist")
    text = bill.get(inbox).content.decode()
    assert "There are no webhook events yet." in text
    assert "Show all" not in text
    text = bill.get(inbox, {"q": str(uuid.uuid4())}).content.decode()
    assert "No webhook events match your search and filters." in text
    assert "Show all" in text


def test_a_dialog_without_the_pages_script_leads_back(bill: Client) -> None:
    event = make_event()
    assert f'href="{url(event)}">Back, without a change' in bill.get(url(event, "process_again")).content.decode()


def test_an_empty_funnel_says_how_it_fills(bill: Client) -> None:
    assert "No checkout was started" in bill.get(reverse("admin:funnel")).content.decode()


@pytest.mark.parametrize("reached", range(len(STAGES) + 1))
def test_an_organization_counts_up_to_the_stage_it_reached(reached: int) -> None:
    organization = uuid.uuid4()
    firsts = [(organization, name.value, NOON + timedelta(days=40 * place)) for place, (_, name) in enumerate(STAGES)]
    [april, march] = funnel_of(firsts[:reached], ["2026-04", "2026-03"])
    assert april.counts == tuple(int(place < reached) for place in range(len(STAGES)))
    assert march.counts == (0, 0, 0, 0)


def test_who_skipped_a_stage_counts_in_none_after_it() -> None:
    organization = uuid.uuid4()
    firsts = [(organization, BillingEventName.SUBSCRIPTION_STARTED.value, NOON)]
    assert funnel_of(firsts, ["2026-04"])[0].counts == (0, 0, 0, 0)
    firsts = [(organization, name.value, NOON) for _, name in (STAGES[0], STAGES[3])]
    assert funnel_of(firsts, ["2026-04"])[0].counts == (1, 0, 0, 0)


def test_events_to_decide_are_listed_by_reason_and_dismissed_together(bill: Client) -> None:
    page = reverse("admin:kept_events")
    assert "Nothing to decide" in bill.get(page).content.decode()
    events = [make_event(reason="unreadable", field="data.object.status") for _ in range(2)]
    make_event(WebhookStatus.UNMATCHED, reason="customer_unknown")
    text = bill.get(page).content.decode()
    assert "A value can&#x27;t be read" in text
    assert "data.object.status" in text
    bill.post(url(events[0], "dismiss_alike"), {"reason": "Another product's."})
    assert WebhookEvent.objects.filter(status=WebhookStatus.IGNORED, reason="dismissed").count() == 2
    text = bill.get(page).content.decode()
    assert "data.object.status" not in text
    assert "Its customer is not known yet" in text


def test_the_body_is_shown_in_the_providers_order_without_what_can_not_be_shown(bill: Client) -> None:
    body = b'{"id":"evt_1","zeta":"\\ud800","alpha":"a\\u0000b","client_secret":"pi_secret"}'
    text = bill.get(url(make_event(body=body))).content.decode()
    assert text.index("zeta") < text.index("alpha")
    assert "pi_secret" not in text
    # Deeper than any version of Python reads, and than the newer ones do.
    for levels in (5_000, 500):
        deep = b'{"a":' * levels + b"1" + b"}" * levels
        assert "nested too deep" in bill.get(url(make_event(body=deep))).content.decode()
