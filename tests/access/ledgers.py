"""The credits of the access table: prices, an open hold and a charge in each tenant, and the requests about them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, NamedTuple

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.canonical import plain
from apps.core.ids import OrganizationId, ProductId
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, EntryKind, GrantType
from apps.credits.models import CreditAccount, Hold
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_grant, credit_policy_publish_prices
from apps.credits.services.accounts import post
from apps.credits.services.grants import GrantParams
from apps.subscriptions.enums import ReceiptKind, Verdict
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import Organization, Product
from tests.contexts import console_context, product_context


def publish_prices() -> None:
    """One price for every product."""
    for product in Product.objects.all():
        prices = [Price("unit", "piece", MICRO)]
        credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=prices)


class Ledger(NamedTuple):
    """The ids of what a tenant's ledger holds of the product `red`."""

    hold_id: uuid.UUID
    entry_id: uuid.UUID
    grant_id: uuid.UUID
    decision_id: uuid.UUID


def make_ledger(organization: Organization) -> Ledger:
    """Credits, a charge, an open hold, a grant and a decision of the product `red`."""
    context, account = console_context(), AccountRef(AccountType.ORGANIZATION, organization.pk)
    wish = GrantParams(grant_type=GrantType.BONUS, amount=100 * MICRO)
    credit_grant(context, key=uuid.uuid4().hex, account=account, params=wish)
    now, red = clock.now(), Product.objects.get(slug="red")
    by_red = product_context(red, OrganizationId(organization.pk))
    given = credit_grant(by_red, key=uuid.uuid4().hex, account=account, params=wish)
    entry = post(
        context,
        account_id=organization.pk,
        kind=EntryKind.CONSUMPTION,
        amount=-MICRO,
        at=now,
        category="regular",
        is_billable=True,
        quantity=MICRO,
        product_id=red.pk,
    )
    hold = Hold.objects.create(
        account_id=organization.pk,
        product=red,
        operation="unit",
        quantity=MICRO,
        amount=MICRO,
        policy_version=1,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    CreditAccount.objects.filter(pk=organization.pk).update(held=MICRO)
    return Ledger(hold.pk, entry.id, uuid.UUID(str(given.body["grant_id"])), _decision(red, organization).pk)


def _decision(red: Product, organization: Organization) -> DecisionReceipt:
    return DecisionReceipt.objects.create(
        kind=ReceiptKind.CREDITS,
        decision=Verdict.DENY,
        code="insufficient_credits",
        organization_id=organization.pk,
        actor_label="red",
        question=plain(
            {
                "product_id": red.pk,
                "account_type": "organization",
                "account_id": organization.pk,
                "operation": "unit",
                "quantity": MICRO,
                "user_id": None,
                "workspace_id": None,
                "outcome": None,
            }
        ),
        chain=[],
        records=[],
        request_id="r",
        created_at=clock.now(),
    )


def credit_requests(organization_id: uuid.UUID, ledger: Ledger) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
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
        "hold-capture": ({"hold_id": ledger.hold_id}, {**key, "outcome": "succeeded"}),
        "hold-release": ({"hold_id": ledger.hold_id}, key),
        "hold-extend": ({"hold_id": ledger.hold_id}, {**key, "ttl_seconds": 60}),
        "entry-reverse": ({"entry_id": ledger.entry_id}, {**key, "reason": "it was ours"}),
        "balance": (in_url, {}),
        "entries": (in_url, {}),
        "grants": (in_url, {}),
        "holds": (in_url, {}),
        "entry": ({"entry_id": ledger.entry_id}, {}),
        "hold": ({"hold_id": ledger.hold_id}, {}),
        "grant-burns": ({"grant_id": ledger.grant_id}, {}),
        "grant-void": ({"grant_id": ledger.grant_id}, {**key, "reason": "it was paid back"}),
        "decision": ({"decision_id": ledger.decision_id}, {}),
    }
