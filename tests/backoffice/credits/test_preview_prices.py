"""The price preview: against a plain calculation by hand, and the draft's way from its form to its publication."""

from __future__ import annotations

import random
import uuid
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.credits.models import CreditPolicy
from apps.credits.rules.price_preview import RecordedUse, preview_prices
from apps.credits.rules.pricing import Price, charge_for
from apps.credits.selectors.policies import policy_terms
from apps.credits.selectors.price_preview import price_preview
from apps.credits.services import credits_consume
from tests.backoffice.people import client_of
from tests.credits.cast import PRICES, consumption, make_place
from tests.factories.tenants import make_product

WHY = "ticket 4711"
ROW = {"operation": "fix_run", "unit": "run", "unit_price": "5", "minimum_charge": "0", "quantum": "0.000001"}


def uses(seed: int) -> list[RecordedUse]:
    """Random lines of six accounts, each account's together."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    accounts = [uuid.UUID(int=chance.getrandbits(128)) for _ in range(6)]
    return [
        RecordedUse(
            account_id=account,
            operation=chance.choice(["fix_run", "scan", "gone"]),
            quantity=chance.randint(1, 90 * MICRO),
            outcome=chance.choice(["succeeded", "failed"]),
            category=chance.choice(["regular", "regular", "free"]),
            charged=chance.randint(0, 9 * MICRO),
            month=date(2026, chance.choice([5, 6]), 1),
            is_counted=chance.random() > 0.2,
        )
        for account in accounts
        for _ in range(chance.randint(0, 40))
    ]


@pytest.mark.parametrize("seed", range(25))
def test_the_replay_equals_a_plain_calculation(seed: int) -> None:
    prices = {price.operation: price for price in PRICES}
    lines, free, by_account = uses(seed), dict[tuple[object, ...], int](), dict[uuid.UUID, list[int]]()
    for line in lines:
        price, would = prices.get(line.operation), 0
        if price and line.category == "regular" and line.outcome in price.billable_outcomes:
            place = (line.account_id, line.operation, line.month)
            left = max(price.free_quantity - free.get(place, 0), 0)
            free[place] = free.get(place, 0) + min(left, line.quantity)
            would = charge_for(price, line.quantity, free_left=left)
        if line.is_counted:
            sums = by_account.setdefault(line.account_id, [0, 0])
            sums[0] += line.charged
            sums[1] += would
    preview = preview_prices(lines, prices, at_most=3)
    assert preview.total.charged == sum(sums[0] for sums in by_account.values())
    assert preview.total.would_charge == sum(sums[1] for sums in by_account.values())
    differences = sorted((abs(sums[1] - sums[0]) for sums in by_account.values()), reverse=True)
    assert [abs(compared.difference) for _, compared in preview.accounts] == [d for d in differences[:3] if d]


@pytest.mark.django_db
def test_the_same_prices_would_have_charged_the_same_in_as_many_queries_for_15_entries_as_for_3() -> None:
    place = make_place(whole_credits=1_000)
    terms = policy_terms(CreditPolicy.objects.get())
    counts = []
    for times in (3, 12):
        for number in range(times):
            operation, quantity = ("fix_run", "scan", "review")[number % 3], (7 + 40 * number) * MICRO
            credits_consume(
                place.context,
                consumption=consumption(place, operation=operation, quantity=quantity if number % 3 else MICRO),
            )
        with CaptureQueriesContext(connection) as captured:
            preview = price_preview(terms, clock.now())
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert (preview.total.lines, preview.total.difference) == (15, 0)
    dearer = {**terms.prices, "fix_run": Price("fix_run", "run", 5_000_000)}
    doubled = price_preview(type(terms)(terms.id, terms.product_id, 2, terms.effective_from, dearer), clock.now())
    assert doubled.operations["fix_run"].per_mille == 1_000
    assert [key for key, _ in doubled.accounts] == [place.organization.pk]


def form_of(**changes: str) -> dict[str, str]:
    row = {**ROW, **changes}
    return {"rows": "1", "step": "save", "reason": WHY, **{f"row0-{name}": value for name, value in row.items()}}


@pytest.mark.django_db
def test_a_draft_is_saved_previewed_and_published_for_good() -> None:
    place, client = make_place(whole_credits=100), client_of(Role.PLATFORM_ADMIN)
    credits_consume(place.context, consumption=consumption(place))
    url = reverse("admin:credits_creditpolicy_draft", args=(place.product.pk,))
    assert 'value="fix_run"' in client.get(url).content.decode()
    answer = client.post(url, form_of(billable_outcomes="succeeded, partial"))
    draft = CreditPolicy.objects.get(status="draft")
    assert answer.headers["Location"] == reverse("admin:credits_creditpolicy_change", args=(draft.pk,))
    assert "would have charged 100.0 % more" in client.get(answer.headers["Location"]).content.decode()
    publish = reverse("admin:credits_creditpolicy_publish", args=(draft.pk,))
    typed = {"reason": WHY, "key": str(uuid.uuid4())}
    assert "100.0 % more" in client.post(publish, {**typed, "step": "preview"}).content.decode()
    assert CreditPolicy.objects.get(pk=draft.pk).status == "draft"
    client.post(publish, {**typed, "step": "apply"})
    assert CreditPolicy.objects.get(pk=draft.pk).status == "published"
    assert "Only a draft" in client.post(publish, {**typed, "step": "apply"}).content.decode()
    assert publish not in client.get(answer.headers["Location"]).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": ""}, "What is counted?"),
        ({"unit_price": ""}, "What does one cost?"),
        ({"unit_price": "1e2"}, "plain decimal number"),
        ({"minimum_charge": "0.5", "quantum": "0.3"}, "multiple of the smallest step"),
        ({"operation": ""}, "at least one operation"),
    ],
)
def test_each_wrong_field_says_what_is_wrong_and_nothing_is_kept(changes: dict[str, str], words: str) -> None:
    url = reverse("admin:credits_creditpolicy_draft", args=(make_product().pk,))
    assert words in client_of(Role.PLATFORM_ADMIN).post(url, form_of(**changes)).content.decode()
    assert not CreditPolicy.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.SUPPORT, Role.BILLING_OPERATIONS])
def test_only_platform_admins_write_drafts(role: Role) -> None:
    url = reverse("admin:credits_creditpolicy_draft", args=(make_product().pk,))
    client = client_of(role)
    assert client.get(url).status_code == client.post(url, form_of()).status_code == 403
    assert not CreditPolicy.objects.exists()
