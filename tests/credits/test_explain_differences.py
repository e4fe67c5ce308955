"""The drift board: every planted difference is found and none invented; what is explained counts as agreement (02)."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, ProductId
from apps.core.models import AuditEntry
from apps.credits.contracts import AccountRef, Question
from apps.credits.enums import AccountType, DisagreementClass
from apps.credits.models import DifferenceMark, ShadowComparison, ShadowDisagreement
from apps.credits.selectors.drift import drift_of, shadow_figures
from apps.credits.services import (
    comparisons,
    credits_authorize,
    credits_consume,
    difference_explain,
    difference_mark_undo,
    differences_explain,
)
from apps.credits.services.authorization import LocalDecision
from apps.tenants.enums import BillingMode
from apps.tenants.models import Product
from apps.tenants.services import organization_close
from tests.backoffice.people import client_of
from tests.contexts import console_context, staff_context
from tests.credits.cast import Place, consumption, make_place
from tests.factories.tenants import make_organization, make_product, make_user
from tests.sizes import size
from tests.subscriptions.cast import chance_of

pytestmark = pytest.mark.django_db(transaction=True)
DECISIONS = size(small=400, full=10_000)
STEP = 10_000  # the smallest step of `scan`
AGREED = LocalDecision("allow", 0, 2_000_000)
PLANTED = {
    DisagreementClass.VERDICT: replace(AGREED, decision="deny"),
    DisagreementClass.AMOUNT: replace(AGREED, charge=2_000_000 + 2 * STEP),
    DisagreementClass.ROUNDING: replace(AGREED, charge=2_000_000 - STEP),
    DisagreementClass.BALANCE: replace(AGREED, balance=1),
    DisagreementClass.UNKNOWN_OPERATION: AGREED,
    DisagreementClass.MEMBERSHIP: AGREED,
    DisagreementClass.LIFECYCLE: AGREED,
}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(comparisons, "_WRITTEN_EVERY", timedelta(0))
    made = make_place(whole_credits=100)
    Product.objects.filter(pk=made.product.pk).update(billing_mode=BillingMode.SHADOW)
    return made


def compare(place: Place, local: LocalDecision, **asked: Any) -> None:
    """One decision; 200 files beyond the free hundred cost two credits."""
    values = {"account": place.ref, "operation": "scan", "quantity": 300 * MICRO, **asked}
    balance = place.account.balance if not local.balance else local.balance
    credits_authorize(place.context, question=Question(**values), local=replace(local, balance=balance))


def plant(place: Place, difference: DisagreementClass | None, closed: AccountRef, stranger: uuid.UUID) -> None:
    special: dict[DisagreementClass | None, dict[str, Any]] = {
        DisagreementClass.UNKNOWN_OPERATION: {"operation": "render"},
        DisagreementClass.MEMBERSHIP: {"user_id": stranger},
        DisagreementClass.LIFECYCLE: {"account": closed},
    }
    compare(place, PLANTED[difference] if difference else AGREED, **special.get(difference, {}))


def explain(place: Place, difference: DisagreementClass, **more: Any) -> DifferenceMark:
    values = {"operation": "", "covers_coming": False, "reason": "known since spring", **more}
    return differences_explain(staff_context(), product_id=ProductId(place.product.pk), difference=difference, **values)


def test_no_more_decisions_differ_than_were_compared(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "_WRITTEN_EVERY", timedelta(days=1))
    for _ in range(3):
        compare(place, PLANTED[DisagreementClass.AMOUNT])
    # The first is written at once, the others wait in the process that compared them.
    assert ShadowComparison.objects.get().compared == 1
    drift = drift_of(place.product.pk, clock.now())
    assert (drift.compared_total, sum(drift.differing)) == (3, 3)
    explain(place, DisagreementClass.AMOUNT)
    drift = drift_of(place.product.pk, clock.now())
    assert (drift.compared_total, sum(drift.differing), sum(drift.explained_decisions)) == (3, 0, 3)
    comparisons.comparisons_write()
    assert drift_of(place.product.pk, clock.now()).compared_total == 3


@pytest.mark.prove("every planted difference is found, and none invented", size=DECISIONS)
def test_every_planted_difference_is_found_and_none_is_invented(place: Place) -> None:
    closed, stranger, chance = make_organization(), make_user(), chance_of(27)
    make_product(place.product.slug, closed)
    organization_close(console_context(), organization_id=OrganizationId(closed.pk), reason="gone")
    planted: Counter[DisagreementClass] = Counter()
    for _ in range(DECISIONS):
        difference = chance.choice(list(PLANTED)) if chance.random() < 0.2 else None
        if difference is not None:
            planted[difference] += 1
        plant(place, difference, AccountRef(AccountType.ORGANIZATION, closed.pk), stranger.pk)
    drift = drift_of(place.product.pk, clock.now())
    found = {each: sum(counts) for each, counts in drift.counts.items() if sum(counts)}
    assert found == dict(planted)
    assert drift.compared_total == DECISIONS
    figures = shadow_figures(ProductId(place.product.pk))
    assert figures.agreed == DECISIONS - sum(planted.values())
    money = planted[DisagreementClass.AMOUNT] + planted[DisagreementClass.ROUNDING]
    assert figures.unexplained_amounts == money

    # What is explained counts as agreement, class by class, until nothing differs.
    for number, each in enumerate(PLANTED, start=1):
        explain(place, each)
        agreed = DECISIONS - sum(planted[other] for other in list(PLANTED)[number:])
        assert shadow_figures(ProductId(place.product.pk)).agreed == agreed
    assert shadow_figures(ProductId(place.product.pk)).unexplained_amounts == 0


def test_a_mark_covers_what_was_seen_until_then_or_what_comes_too_and_is_taken_back(place: Place) -> None:
    product_id = ProductId(place.product.pk)

    def unexplained() -> int:
        return shadow_figures(product_id).unexplained_amounts

    amount = PLANTED[DisagreementClass.AMOUNT]
    compare(place, amount)
    compare(place, amount)
    explain(place, DisagreementClass.AMOUNT, operation="fix_run")
    explain(place, DisagreementClass.BALANCE)
    assert unexplained() == 2
    seen = explain(place, DisagreementClass.AMOUNT, operation="scan")
    assert unexplained() == 0
    compare(place, amount)
    assert unexplained() == 1
    coming = explain(place, DisagreementClass.AMOUNT, covers_coming=True)
    compare(place, amount)
    assert unexplained() == 0
    difference_mark_undo(staff_context(), mark_id=coming.pk, reason="too much")
    assert unexplained() == 2
    difference_mark_undo(staff_context(), mark_id=seen.pk, reason="too much")
    one = ShadowDisagreement.objects.latest("seen_at")
    single = difference_explain(staff_context(), disagreement_id=one.pk, reason="a typing error there")
    assert unexplained() == 3
    assert (single.disagreement_id, single.operation) == (one.pk, "scan")
    events = AuditEntry.objects.filter(event__startswith="differences.").values_list("event", flat=True)
    assert Counter(events) == {"differences.explained": 5, "differences.explanation_undone": 2}


def test_what_can_not_be_explained_or_taken_back_changes_nothing(place: Place) -> None:
    compare(place, PLANTED[DisagreementClass.AMOUNT])
    one, seen = ShadowDisagreement.objects.get(), explain(place, DisagreementClass.BALANCE)
    difference_mark_undo(staff_context(), mark_id=seen.pk, reason="once")
    before = list(DifferenceMark.objects.order_by("pk").values())
    with pytest.raises(ConflictError):
        difference_mark_undo(staff_context(), mark_id=seen.pk, reason="again")
    with pytest.raises(NotFoundError):
        difference_mark_undo(staff_context(), mark_id=uuid.uuid4(), reason="none")
    with pytest.raises(NotFoundError):
        difference_explain(staff_context(), disagreement_id=uuid.uuid4(), reason="none")
    with pytest.raises(UnprocessableError):
        explain(place, DisagreementClass.AMOUNT, reason="  ")
    with pytest.raises(ForbiddenError) as refusal:
        difference_explain(staff_context(Role.SUPPORT), disagreement_id=one.pk, reason="mine")
    assert "You can't explain differences" in refusal.value.detail
    assert list(DifferenceMark.objects.order_by("pk").values()) == before


def test_a_charge_that_the_product_rounds_otherwise_is_told_as_that(place: Place) -> None:
    for local_charge in (2_000_000, 2_000_000 + STEP, 2_000_000 + 2 * STEP):
        credits_consume(
            place.context,
            consumption=consumption(place, operation="scan", quantity=300 * MICRO, local_charge=local_charge),
        )
        # The free hundred is not used by what the product charged itself.
    found = ShadowDisagreement.objects.order_by("seen_at").values_list("difference", "local_charge", "central_charge")
    assert list(found) == [("rounding", 2_000_000 + STEP, 2_000_000), ("amount", 2_000_000 + 2 * STEP, 2_000_000)]
    # Nothing was compared: what was booked is no decision, but its money counts.
    figures = shadow_figures(ProductId(place.product.pk))
    assert (figures.compared, figures.agreed, figures.unexplained_amounts) == (0, 0, 2)


@pytest.mark.slow
def test_the_board_shows_both_sides_the_gate_and_the_way_back(place: Place) -> None:
    compare(place, PLANTED[DisagreementClass.AMOUNT])
    compare(place, replace(AGREED), user_id=make_user().pk)
    client = client_of(Role.PLATFORM_ADMIN)
    url = reverse("admin:tenants_product_drift", args=(place.product.pk,))
    page = client.get(url).content.decode()
    assert "allow, 2.02 credits, balance 100" in page
    assert "allow, 2 credits, balance 100" in page
    assert "our receipt" in page  # of the denial
    assert "1 difference in money not explained." in page
    assert "Shadow mode has run on 1 day; 7 are needed." in page
    assert "never reported its members as a whole" in page
    explained = client.post(
        reverse("admin:tenants_product_explain", args=(place.product.pk,)),
        {"difference": "amount", "reason": "a promotion there", "step": "apply"},
    )
    assert explained.status_code == 302
    page = client.get(url).content.decode()
    assert "All are explained, or there is none." in page
    assert "a promotion there" in page
    [mark] = DifferenceMark.objects.all()
    undo = reverse("admin:credits_differencemark_undo", args=(mark.pk,))
    assert f'action="{undo}"' in page
    assert client.post(undo, {"step": "apply", "reason": "Taken back on the drift board"}).status_code == 302
    assert "1 difference in money not explained." in client.get(url).content.decode()
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for _ in range(20):
        compare(place, PLANTED[DisagreementClass.AMOUNT])
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) <= len(few) + 2  # two more examples, each with the look for its receipt
