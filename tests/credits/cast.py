"""The fixed cast of these tests: a product with a policy, and an organization with credits."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from apps.core.amounts import MICRO
from apps.core.context import ExecutionContext
from apps.core.ids import ProductId
from apps.credits.contracts import AccountRef, Consumption, Question
from apps.credits.enums import AccountType, GrantType
from apps.credits.models import CreditAccount
from apps.credits.rules.pricing import Price
from apps.credits.selectors.ledger import ledger_faults
from apps.credits.services import account_apply_due, credit_grant, credit_policy_publish_prices
from apps.credits.services.grants import GrantParams
from apps.tenants.models import Organization, Product
from tests.contexts import console_context, product_context
from tests.factories.tenants import make_organization, make_product

PRICES = (
    Price("fix_run", "run", 2_500_000),
    Price("scan", "file", 10_000, free_quantity=100 * MICRO, quantum=10_000),
    Price(
        "review", "line", 1_500, minimum_charge=1_000_000, quantum=100_000, billable_outcomes=("succeeded", "partial")
    ),
    Price("unit", "piece", MICRO),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A product and an organization that it is related to."""

    product: Product
    organization: Organization
    context: ExecutionContext

    @property
    def account(self) -> CreditAccount:
        """The account as it is stored now."""
        return CreditAccount.objects.get(pk=self.organization.pk)

    @property
    def ref(self) -> AccountRef:
        return AccountRef(AccountType.ORGANIZATION, self.organization.pk)


def make_place(slug: str = "red", *, whole_credits: int = 0) -> Place:
    """A product with a published policy, and an organization with so many whole credits."""
    organization = make_organization()
    product = make_product(slug, organization)
    credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=PRICES)
    place = Place(product, organization, product_context(product))
    if whole_credits:
        give(place, whole_credits * MICRO)
    return place


def give(place: Place, amount: int, **wish: Any) -> uuid.UUID:
    """A grant of micro-credits; answers its id."""
    terms = GrantParams(grant_type=GrantType.PURCHASED, amount=amount, **wish)
    answer = credit_grant(place.context, key=f"grant-{uuid.uuid4()}", account=place.ref, params=terms)
    return uuid.UUID(str(answer.body["grant_id"]))


def consumption(place: Place, key: str | None = None, **values: Any) -> Consumption:
    """One consumption of a whole unit, or as told."""
    question = {
        name: values.pop(name)
        for name in ("operation", "quantity", "user_id", "workspace_id", "account")
        if name in values
    }
    asked = Question(**{"account": place.ref, "operation": "fix_run", "quantity": MICRO, **question})
    return Consumption(key=key or uuid.uuid4().hex, question=asked, **{"outcome": "succeeded", **values})


def look_at(place: Place) -> None:
    """Let the account settle, as everything does that shows it: what was charged burns its grants."""
    account_apply_due(place.context, account_id=place.organization.pk)


def assert_sound() -> None:
    """Every invariant of the ledger holds."""
    assert list(ledger_faults()) == []
