"""Who decides for which organization: precedence, percentage, the gate to central, the way back (spec 02)."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from apps.core import clock
from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError, UnprocessableError
from apps.core.ids import OrganizationId, ProductId
from apps.credits.models import ShadowComparison
from apps.tenants.billing_modes import CheckFacts, Least, ModeFacts, bucket_of, gate_lines, missing_for_central, mode_of
from apps.tenants.enums import BillingMode
from apps.tenants.models import BillingModeChange, BillingModeException, CutoverCheck, Organization, Product
from apps.tenants.selectors.billing_modes import billing_mode_of, latest_check_facts
from apps.tenants.services import (
    billing_exception_change,
    billing_mode_revert,
    billing_percentage_change,
    product_billing_mode_change,
)
from tests.backoffice.people import client_of
from tests.contexts import staff_context
from tests.factories.tenants import make_organization, make_product, make_token

LOCAL, SHADOW, CENTRAL = BillingMode.LOCAL, BillingMode.SHADOW, BillingMode.CENTRAL
NOON = datetime(2026, 4, 3, 12, tzinfo=UTC)
GOOD = {"has_passed": True, "days": 7, "compared": 1_000, "agreed": 995, "unexplained_amounts": 0}
ADMIN = staff_context(Role.PLATFORM_ADMIN)
URL = "/api/v1/internal/billing-mode"


def in_database(product: Product, organization_id: uuid.UUID | None) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenants_billing_mode(%s, %s)", [product.pk, organization_id])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_each_product_has_its_own_mode_exceptions_and_percentage() -> None:
    red, blue = make_product("red"), make_product("blue")
    Product.objects.filter(pk=blue.pk).update(billing_mode=CENTRAL)
    organization = make_organization()
    assert (in_database(red, organization.pk), in_database(blue, organization.pk)) == (LOCAL, CENTRAL)
    BillingModeException.objects.create(product=blue, organization=organization, mode=SHADOW, set_at=NOON)
    assert (in_database(red, organization.pk), in_database(blue, organization.pk)) == (LOCAL, SHADOW)
    bucket = bucket_of(organization.pk)
    for percentage, mode in ((bucket, LOCAL), (bucket + 1, CENTRAL)):
        part = CENTRAL if percentage else ""
        Product.objects.filter(pk=red.pk).update(percentage=percentage, percentage_mode=part)
        assert in_database(red, organization.pk) == mode


@pytest.mark.django_db
@pytest.mark.slow
def test_database_selector_and_rule_agree_in_every_case() -> None:
    red = make_product("red")
    organizations = [make_organization() for _ in range(6)]
    for product, percentage, part, own in itertools.product(
        BillingMode, (0, 1, 50, 99, 100), BillingMode, (None, *BillingMode)
    ):
        Product.objects.filter(pk=red.pk).update(
            billing_mode=product, percentage=percentage, percentage_mode=part if percentage else ""
        )
        BillingModeException.objects.all().delete()
        special = organizations[0]
        if own:
            BillingModeException.objects.create(product=red, organization=special, mode=own, set_at=NOON)
        for organization in (*organizations[:3], None):
            key = organization.pk if organization else None
            is_own = own if organization is special else None
            wanted = mode_of(ModeFacts(product, percentage, part if percentage else None, is_own), key)
            expected = is_own or (part if key and bucket_of(key) < percentage else product)
            assert wanted.mode == expected
            assert billing_mode_of(ProductId(red.pk), key) == wanted
            assert in_database(red, key) == wanted.mode


def test_a_growing_percentage_keeps_whom_it_has_and_spreads_evenly() -> None:
    organizations = [uuid.UUID(int=number) for number in range(10_000)]
    counts = [sum(bucket_of(each) < percentage for each in organizations) for percentage in (10, 50)]
    assert all(abs(count - wanted) < 200 for count, wanted in zip(counts, (1_000, 5_000), strict=True))
    assert bucket_of(uuid.UUID(int=1)) == bucket_of(uuid.UUID(int=1))


@pytest.mark.parametrize(
    ("differing", "missing"),
    [
        ({}, 0),
        ({"has_passed": False}, 1),
        ({"finished_at": NOON - timedelta(days=1)}, 1),
        ({"finished_at": NOON - timedelta(days=1) + timedelta(microseconds=1)}, 0),
        ({"days": 6}, 1),
        ({"compared": 999, "agreed": 999}, 1),
        ({"agreed": 994}, 1),
        ({"unexplained_amounts": 1}, 1),
        ({"has_passed": False, "days": 0, "compared": 0, "agreed": 0, "unexplained_amounts": 3}, 4),
    ],
)
def test_what_central_asks_for(differing: dict[str, Any], missing: int) -> None:
    facts = CheckFacts(**{"finished_at": NOON, **GOOD, **differing})
    assert len(missing_for_central(facts, NOON)) == missing
    never = replace(facts, finished_at=None, has_passed=False)
    assert missing_for_central(never, NOON)[0] == "No cutover check was ever made."
    assert [line.is_met for line in gate_lines(facts, NOON)].count(False) == missing


@pytest.mark.parametrize(
    ("least", "sentence"),
    [
        (Least(days=GOOD["days"] + 1), f"{GOOD['days'] + 1} are needed"),
        (Least(compared=GOOD["compared"] + 1), f"{GOOD['compared'] + 1:,} are needed"),
        (Least(agreed_per_mille=1_000), "100.0 % are needed"),
    ],
)
def test_an_installation_asks_for_more(least: Least, sentence: str) -> None:
    values: dict[str, Any] = {"finished_at": NOON, **GOOD, "agreed": GOOD["compared"] - 1, "least": least}
    facts = CheckFacts(**values)
    (missing,) = missing_for_central(facts, NOON)
    assert sentence in missing


@pytest.mark.django_db
def test_what_central_asks_for_is_set_by_the_installation(settings: Settings) -> None:
    product = make_product()
    settings.CENTRAL_LEAST_DAYS, settings.CENTRAL_LEAST_DECISIONS = 3, 50
    settings.CENTRAL_LEAST_AGREEMENT_PER_MILLE = 900
    assert latest_check_facts(ProductId(product.pk)).least == Least(3, 50, 900)


def make_check(product: Product, **differing: Any) -> CutoverCheck:
    """A check, and comparisons of as many days as it speaks of, in the place of those before."""
    now = clock.now()
    days = differing.get("days", GOOD["days"])
    ShadowComparison.objects.filter(product=product).delete()
    for back in range(days):
        day = now.astimezone(UTC).date() - timedelta(days=back)
        ShadowComparison.objects.create(product=product, day=day, compared=200)
    values = {"started_at": now, "finished_at": now, "lines": [], "base_url": "http://localhost", "run_by": "tester"}
    check: CutoverCheck = CutoverCheck.objects.create(product=product, **{**GOOD, **values, **differing})
    return check


@pytest.fixture
def pair(db: None) -> tuple[Product, Organization]:
    acme = make_organization("Acme")
    return make_product("red", acme), acme


def changes(product: Product, organization: Organization, mode: BillingMode, **more: Any) -> list[Any]:
    """The three ways to a mode."""
    common = {"product_id": ProductId(product.pk), "reason": "pilot", **more}
    return [
        lambda: product_billing_mode_change(ADMIN, billing_mode=mode, **common),
        lambda: billing_percentage_change(ADMIN, percentage=100, mode=mode, **common),
        lambda: billing_exception_change(ADMIN, organization_id=OrganizationId(organization.pk), mode=mode, **common),
    ]


@pytest.mark.parametrize("way", [0, 1, 2])
def test_each_way_to_central_passes_the_gate(pair: tuple[Product, Organization], way: int) -> None:
    red, acme = pair
    make_check(red, days=2)
    with pytest.raises(ConflictError) as refusal:
        changes(red, acme, CENTRAL)[way]()
    assert refusal.value.problem_code == "cutover_unchecked"
    assert "Shadow mode has run on 2 days; 7 are needed." in refusal.value.detail
    assert (in_database(red, acme.pk), BillingModeChange.objects.count()) == ("local", 0)
    changes(red, acme, CENTRAL, without_check=True)[way]()
    assert in_database(red, acme.pk) == "central"
    assert BillingModeChange.objects.get().without_check
    billing_mode_revert(ADMIN, product_id=ProductId(red.pk), reason="too early")
    assert in_database(red, acme.pk) == "local"
    # The latest check counts.
    make_check(red)
    changes(red, acme, CENTRAL)[way]()
    assert in_database(red, acme.pk) == "central"
    make_check(red, has_passed=False)
    assert in_database(red, acme.pk) == "central"


def test_one_organization_goes_back_by_one_click(pair: tuple[Product, Organization]) -> None:
    red, acme = pair
    other = make_organization("Other")
    changes(red, acme, CENTRAL, without_check=True)[0]()
    changes(red, acme, SHADOW)[2]()
    assert [in_database(red, each.pk) for each in (acme, other)] == ["shadow", "central"]
    billing_mode_revert(ADMIN, product_id=ProductId(red.pk), reason="solved")
    assert [in_database(red, each.pk) for each in (acme, other)] == ["central", "central"]
    assert not BillingModeException.objects.exists()
    history = BillingModeChange.objects.order_by("changed_at").values_list("scope", "before", "after")
    assert list(history) == [
        ("product", "local", "central"),
        ("organization", "", "shadow"),
        ("organization", "shadow", ""),
    ]


def test_what_changes_nothing_is_no_change_and_what_cannot_be_is_refused(pair: tuple[Product, Organization]) -> None:
    red, acme = pair
    changes(red, acme, LOCAL)[0]()
    common: dict[str, Any] = {"product_id": ProductId(red.pk), "reason": "pilot"}
    with pytest.raises(ConflictError):
        billing_mode_revert(ADMIN, **common)
    with pytest.raises(UnprocessableError):
        billing_percentage_change(ADMIN, percentage=101, mode=SHADOW, **common)
    with pytest.raises(UnprocessableError):
        billing_percentage_change(ADMIN, percentage=5, mode=None, **common)
    stranger = OrganizationId(make_organization().pk)
    with pytest.raises(UnprocessableError):
        billing_exception_change(ADMIN, organization_id=stranger, mode=SHADOW, **common)
    with pytest.raises(UnprocessableError):
        product_billing_mode_change(ADMIN, billing_mode=SHADOW, **{**common, "reason": " "})
    with pytest.raises(ForbiddenError):
        product_billing_mode_change(staff_context(), billing_mode=SHADOW, **common)
    assert not BillingModeChange.objects.exists()


def test_a_product_asks_for_the_mode_and_is_told_when_it_did_not_change(pair: tuple[Product, Organization]) -> None:
    red, acme = pair
    headers = {"authorization": f"Bearer {make_token(red)}"}
    changes(red, acme, SHADOW)[2]()

    def ask(query: str, **more: str) -> Any:
        return Client().get(f"{URL}{query}", headers={**headers, **more})

    of_acme = ask(f"?organization_id={acme.pk}")
    assert of_acme.json() == {"mode": "shadow", "source": "organization"}
    assert ask("").json() == {"mode": "local", "source": "product"}
    same = ask(f"?organization_id={acme.pk}", **{"if-none-match": of_acme["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    billing_mode_revert(ADMIN, product_id=ProductId(red.pk), reason="back")
    changed = ask(f"?organization_id={acme.pk}", **{"if-none-match": of_acme["ETag"]})
    assert (changed.status_code, changed.json()["mode"]) == (200, "local")
    assert ask(f"?organization_id={make_organization().pk}").json()["code"] == "product_not_related"
    assert ask(f"?organization_id={uuid.uuid4()}").status_code == 404
    assert ask("?organization_id=acme").status_code in {400, 422}


def test_the_products_page_shows_what_is_missing_its_exceptions_and_their_history(
    pair: tuple[Product, Organization],
) -> None:
    red, acme = pair
    changes(red, acme, SHADOW)[2]()
    make_check(red, has_passed=False, lines=[{"name": "Members", "outcome": "failed", "detail": "Never reported."}])
    page = client_of(Role.PLATFORM_ADMIN).get(reverse("admin:tenants_product_change", args=(red.pk,)))
    text = page.content.decode()
    for shown in ("Never reported.", "The latest cutover check has failed.", "Acme", "pilot"):
        assert shown in text
