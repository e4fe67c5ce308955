"""A customer's story against localstripe: paid, failed, grace, off, paid again, back but for what a person disabled."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.counterparts.localstripe import FAILING_CARD, GOOD_CARD, KEY, LocalStripe, running_localstripe
from tests.faults.stacks import Stack, migrated_stack, wait_until

pytestmark = pytest.mark.journey

SECRET = "whsec_of_localstripe"
SCOPES = ("tenants:write", "subscriptions:read", "payments:write")
_PREPARE = """
from apps.connectors.models import Connector
from apps.tenants.models import Workspace
from tests.subscriptions.cast import make_plan
make_plan("team")
for name, status in (("one", "enabled"), ("two", "enabled"), ("by hand", "disabled")):
    Connector.objects.create(workspace=Workspace.objects.get(), provider="demo", name=name, status=status)
"""


class Product:
    """The whole stack as its users see it: a product with a token, and staff with a shell."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.organization, self.workspace, self.owner = (str(uuid.uuid4()) for _ in range(3))
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        made = stack.manage("create_service_token", "--product", "red", *scopes)
        assert made.returncode == 0, made.stderr
        self.token = made.stdout.strip()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = requests.request(
            method,
            f"http://127.0.0.1:{self.stack.port}/api/v1/internal/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def set_up(self) -> None:
        self.call("POST", "users:upsert", {"id": self.owner, "email": "olivia@northwind.example", "name": "Olivia"})
        organization = {"id": self.organization, "name": "Northwind", "kind": "team", "owner_user_id": self.owner}
        self.call("POST", "organizations:upsert", organization)
        workspace = {"id": self.workspace, "organization_id": self.organization, "name": "Production"}
        self.call("POST", "workspaces:upsert", workspace)
        self.shell(_PREPARE)

    def config(self) -> dict[str, Any]:
        return self.call("GET", f"organizations/{self.organization}/payment-config")

    def end_grace(self) -> None:
        self.call("POST", f"organizations/{self.organization}/payment-config/end-grace-period")

    def shell(self, code: str) -> str:
        done = self.stack.manage("shell", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def look(self) -> dict[str, Any]:
        """By SQL: a shell for each look would take longer than the story."""
        with self.stack.database() as connection:
            return {
                "connectors": dict(connection.execute("SELECT name, status FROM connectors_connector").fetchall()),
                "parked": connection.execute(
                    "SELECT type, error FROM payments_webhookevent WHERE status = 'failed'"
                ).fetchall(),
                "tracked": {name for (name,) in connection.execute("SELECT name FROM payments_billingevent")},
            }

    def wait_for(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        wait_until(lambda: holds(self.config()), lambda: f"{self.config()} {self.look()}")


@pytest.fixture
def stripe() -> Iterator[LocalStripe]:
    with running_localstripe() as stripe:
        yield stripe


@pytest.fixture
def product(stripe: LocalStripe) -> Iterator[Product]:
    with migrated_stack(STRIPE_SECRET_KEY=KEY, STRIPE_API_BASE=stripe.base, STRIPE_WEBHOOK_SECRETS=SECRET) as stack:
        stack.start()
        product = Product(stack)
        stripe.send_webhooks(f"http://127.0.0.1:{stack.port}/webhooks/stripe", SECRET)
        yield product


def test_from_the_first_payment_to_the_end_of_grace_and_back(product: Product, stripe: LocalStripe) -> None:
    product.set_up()
    product.wait_for(lambda config: bool(config["payment_provider_id"]))
    customer = product.config()["payment_provider_id"]
    stripe.call("/v1/plans", id="team", amount="4900", currency="eur", interval="month", **{"product[name]": "Team"})
    stripe.use_card(customer, GOOD_CARD)
    metadata = {"metadata[workspace_id]": product.workspace, "metadata[countinghouse_plan]": "team"}
    stripe.call("/v1/subscriptions", customer=customer, **{"items[0][plan]": "team"}, **metadata)
    product.wait_for(
        lambda config: config["payment_status"] == "okay" and config["subscription_status"] == "subscribed"
    )

    stripe.use_card(customer, FAILING_CARD)
    stripe.call("/v1/invoiceitems", customer=customer, amount="900", currency="eur")
    invoice = stripe.call("/v1/invoices", customer=customer)["id"]
    stripe.fail_to_pay(invoice)
    product.wait_for(lambda config: config["payment_status"] == "grace_period")
    assert product.look()["connectors"] == {"one": "enabled", "two": "enabled", "by hand": "disabled"}

    product.end_grace()
    assert product.config()["payment_status"] == "disabled"
    assert product.look()["connectors"] == {"one": "auto_disabled", "two": "auto_disabled", "by hand": "disabled"}

    stripe.use_card(customer, GOOD_CARD)
    stripe.call(f"/v1/invoices/{invoice}/pay")
    product.wait_for(lambda config: config["payment_status"] == "okay")
    seen = product.look()
    assert seen["connectors"] == {"one": "enabled", "two": "enabled", "by hand": "disabled"}
    assert seen["parked"] == []
    assert {"Grace Period Started", "Grace Period Ended", "Invoice Paid", "Subscription Started"} <= seen["tracked"]
