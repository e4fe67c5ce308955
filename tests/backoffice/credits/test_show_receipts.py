"""Denials are found, a receipt shows what was read and what changed since, drift is counted, pages stay quick."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.credits.contracts import Question
from apps.credits.models import ShadowDisagreement
from apps.credits.services import credits_authorize, credits_consume
from apps.credits.services.authorization import LocalDecision
from apps.subscriptions.models import DecisionReceipt
from tests.backoffice.people import client_of
from tests.credits.cast import consumption, give, make_place
from tests.factories.tenants import make_user, make_workspace

pytestmark = pytest.mark.django_db


def test_a_denial_is_found_and_replayed_with_what_changed_since() -> None:
    place, client = make_place(whole_credits=1), client_of(Role.SUPPORT)
    question = Question(place.ref, "fix_run", MICRO)
    receipt_id = credits_authorize(place.context, question=question)["decision_id"]
    listing = reverse("admin:subscriptions_decisionreceipt_changelist")
    for asked, is_found in (
        ({"q": str(receipt_id)}, True),
        ({"organization": str(place.organization.pk)}, True),
        ({"product": str(place.product.pk)}, True),
        ({"code": "insufficient_credits", "operation": "fix_run"}, True),
        ({"code": "not_a_member"}, False),
        ({"operation": "scan"}, False),
    ):
        assert (str(receipt_id) in client.get(listing, asked).content.decode()) is is_found, asked
    page = reverse("admin:subscriptions_decisionreceipt_change", args=(receipt_id,))
    text = client.get(page).content.decode()
    assert f">{place.organization.name}</a>" in text
    assert f">{place.organization.pk}</a>" not in text
    assert "Nothing has changed." in text
    assert "balance 1, held 0" in text
    give(place, 5 * MICRO)
    text = client.get(page).content.decode()
    assert "The answer was deny (insufficient_credits) and is allow (ok)" in text


def test_the_receipt_of_a_stranger_opens() -> None:
    place, client = make_place(whole_credits=10), client_of(Role.SUPPORT)
    user = make_user()
    credits_authorize(place.context, question=Question(place.ref, "fix_run", MICRO, user_id=user.pk))
    receipt = DecisionReceipt.objects.latest("created_at")
    url = reverse("admin:subscriptions_decisionreceipt_change", args=(receipt.pk,))
    text = client.get(url).content.decode()
    assert "not_a_member" in text
    assert f">{user.email}</a>" in text


def test_drift_is_counted_by_class_and_leads_to_its_list() -> None:
    place, client = make_place(whole_credits=10), client_of(Role.SUPPORT)
    url = reverse("admin:tenants_product_drift", args=(place.product.pk,))
    assert "Nothing was compared in 14 days" in client.get(url).content.decode()
    question = Question(place.ref, "unit", MICRO)
    credits_authorize(place.context, question=question, local=LocalDecision("allow", 10 * MICRO, MICRO))
    assert "No disagreement. Decisions that were compared in 14 days: 1." in client.get(url).content.decode()
    for local in (LocalDecision("deny", 0, 0), LocalDecision("allow", 10 * MICRO, 2), LocalDecision("allow", 9, MICRO)):
        credits_authorize(place.context, question=question, local=local)
    unknown = Question(place.ref, "nothing", MICRO)
    credits_authorize(place.context, question=unknown, local=LocalDecision("allow", 0, 0))
    answer = client.get(url)
    assert answer.context["drift"].total == 4
    with clock.as_of(clock.now() + timedelta(seconds=6)):
        credits_authorize(place.context, question=question, local=LocalDecision("allow", 10 * MICRO, MICRO))
    assert client.get(url).context["drift"].compared_total == 6
    listing = reverse("admin:credits_shadowdisagreement_changelist")
    for name in ("verdict", "amount", "balance", "unknown_operation"):
        rows = client.get(listing, {"product": str(place.product.pk), "difference": name}).context["cl"].result_list
        assert [row.difference for row in rows] == [name]
    assert ShadowDisagreement.objects.count() == 4


@pytest.mark.slow
def test_the_pages_of_an_account_ask_as_much_for_many_rows_as_for_few() -> None:
    place, client = make_place(whole_credits=500), client_of(Role.BILLING_OPERATIONS)
    workspace = make_workspace(place.organization)
    key = place.organization.pk
    urls = [
        reverse("admin:credits_creditaccount_change", args=(key,)),
        reverse("admin:tenants_organization_change", args=(key,)),
        reverse("admin:tenants_workspace_change", args=(workspace.pk,)),
        f"{reverse('admin:credits_creditentry_changelist')}?organization={key}",
        f"{reverse('admin:credits_creditgrant_changelist')}?organization={key}",
    ]

    def grow(times: int) -> None:
        for _ in range(times):
            credits_consume(place.context, consumption=consumption(place))
            give(place, MICRO)
            question = Question(place.ref, "unit", MICRO)
            credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)

    def asked() -> list[int]:
        counts = []
        for url in urls:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(url).status_code == 200
            counts.append(len(captured))
        return counts

    grow(2)
    asked()
    few = asked()
    grow(15)
    assert asked() == few
