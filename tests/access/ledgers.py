"""The credits of the access table: prices, an open hold and a charge in each tenant, and the requests about them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.ids import ProductId
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, EntryKind, GrantType
from apps.credits.models import CreditAccount, Hold
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_grant, credit_policy_publish_prices
from apps.credits.services.accounts import post
from apps.credits.services.grants import GrantParams
from apps.tenants.models import Organization, Product
from tests.contexts import console_context


def publish_prices() -> None:
    """One price for every product."""
    for product in Product.objects.all():
        prices = [Price("unit", "piece", MICRO)]
        credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=prices)


def make_ledger(organization: Organization) -> tuple[uuid.UUID, uuid.UUID]:
    """Credits, a charge and an open hold of the product `red`; the ids of the hold and of the charge."""
    context, account = console_context(), AccountRef(AccountType.ORGANIZATION, organization.pk)
    wish = GrantParams(grant_type=GrantType.BONUS, amount=100 * MICRO)
    credit_grant(context, key=uuid.uuid4().hex, account=account, params=wish)
    now = clock.now()
    entry = post(
        context,
        account_id=organization.pk,
        kind=EntryKind.CONSUMPTION,
        amount=-MICRO,
        at=now,
        category="regular",
        is_billable=True,
        quantity=MICRO,
    )
    hold = Hold.objects.create(
        account_id=organization.pk,
        product=Product.objects.get(slug="red"),
        operation="unit",
        quantity=MICRO,
        amount=MICRO,
        policy_version=1,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    CreditAccount.objects.filter(pk=organization.pk).update(held=MICRO)
    return hold.pk, entry.id


def credit_requests(
    organization_id: uuid.UUID, hold_id: uuid.UUID, entry_id: uuid.UUID
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """A well-formed request of each route of credits, by the route's name."""
    account = {"type": "organization", "id": str(organization_id)}
    key = {"idempotency_key": uuid.uuid4().hex}
    asked = {"account": account, "operation": "unit", "quantity": "1"}
    run = {**key, **asked, "outcome": "succeeded"}
    in_url = {"account_type": "organization", "account_id": organization_id}
    return {
        "credit-policy": ({"product": "red"}, {}),
        "credits-authorize": ({}, asked),
        "credits-consume": ({}, run),
        "credits-consume-batch": ({}, {"items": [run]}),
        "credits-grant": ({}, {**key, "account": account, "grant_type": "bonus", "amount": "1"}),
        "hold-capture": ({"hold_id": hold_id}, {**key, "outcome": "succeeded"}),
        "hold-release": ({"hold_id": hold_id}, key),
        "entry-reverse": ({"entry_id": entry_id}, {**key, "reason": "it was ours"}),
        "balance": (in_url, {}),
        "entries": (in_url, {}),
    }
