"""The incident that the product exists for, and the cutover that would have refused it (spec 02, Cutover).

A product with members of its own is moved to central though nobody had reported them: each is refused. The check says
so beforehand; after reconciliation they are let in, the gate opens, and one organization goes back by one click.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from io import StringIO
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from apps.core import clock
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId, ProductId, ReconciliationRunId
from apps.credits.models import ShadowComparison, ShadowDisagreement
from apps.tenants.enums import BillingMode
from apps.tenants.models import (
    BillingModeException,
    CutoverCheck,
    Membership,
    Organization,
    ServiceToken,
    User,
)
from apps.tenants.reconciliation.engine import reconciliation_run_execute
from apps.tenants.services import (
    billing_exception_change,
    billing_mode_revert,
    product_billing_mode_change,
    reconciliation_request,
)
from tests.contexts import console_context
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_token, make_user
from tests.tenants.reconciliation.exports import Export, connect, in_order, row, served

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Product:
    """Red, as its own program: it has members, asks before each run, and shows its members to us."""

    place: Place
    base_url: str
    token: str
    members: list[User]
    export: Export

    def ask(self, user: User, **more: Any) -> dict[str, Any]:
        body = {**self._question(user), **more}
        answer = self._post("credits:authorize", body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def consume(self, user: User, key: str) -> requests.Response:
        body = {"idempotency_key": key, "outcome": "succeeded", "on_insufficient": "reject", **self._question(user)}
        return self._post("credits:consume", body)

    def check(self) -> str:
        """What `manage.py cutover_check` prints."""
        text = StringIO()
        try:
            call_command("cutover_check", product="red", base_url=self.base_url, stdout=text)
        except CommandError as error:
            return f"{text.getvalue()}exit {error.returncode}"
        return f"{text.getvalue()}exit 0"

    def move(self, mode: BillingMode, *, without_check: bool = False) -> None:
        product_billing_mode_change(
            console_context(),
            product_id=ProductId(self.place.product.pk),
            billing_mode=mode,
            reason="the cutover",
            without_check=without_check,
        )

    def _question(self, user: User) -> dict[str, Any]:
        account = {"type": "organization", "id": str(self.place.organization.pk)}
        return {"account": account, "operation": "fix_run", "quantity": "1", "user_id": str(user.pk)}

    def _post(self, path: str, body: dict[str, Any]) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.post(f"{self.base_url}/api/v1/internal/{path}", json=body, headers=headers, timeout=30)


@pytest.fixture
def red(live_server: LiveServer, settings: Settings) -> Iterator[Product]:
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1"]
    place = make_place(whole_credits=50)
    members = [make_user() for _ in range(3)]
    with served(Export(in_order([row(place.organization, member) for member in members]))) as export:
        yield Product(place, live_server.url, make_token(place.product), members, export)


def shadow_for_a_week(red: Product) -> None:
    """A week of comparisons that agreed, as the counts of authorize leave them."""
    today = clock.now().astimezone(UTC).date()
    for back in range(7):
        ShadowComparison.objects.create(product=red.place.product, day=today - timedelta(days=back + 1), compared=200)


@pytest.mark.slow
def test_the_incident_and_the_cutover_that_refuses_it(red: Product) -> None:
    red.move(BillingMode.SHADOW)
    local = {"decision": "allow", "balance": "50", "charge": "2.5"}
    assert red.ask(red.members[0], local_decision=local)["decided_by"] == "local"
    assert ShadowDisagreement.objects.get().difference == "membership"

    # The check would have refused it, and says why.
    said = red.check()
    assert "FAILED" in said
    assert "Red never reported its members as a whole" in said
    assert said.endswith("exit 1")
    with pytest.raises(ConflictError) as refusal:
        red.move(BillingMode.CENTRAL)
    assert "The latest cutover check has failed." in refusal.value.detail

    # Somebody does it nevertheless.
    red.move(BillingMode.CENTRAL, without_check=True)
    for member in red.members:
        answer = red.ask(member)
        assert (answer["decision"], answer["code"]) == ("deny", "not_a_member")
        [denied] = [reason for reason in answer["explanation"] if reason["outcome"] == "deny"]
        assert "no product's report of this membership" in denied["fact"]
    refused = red.consume(red.members[0], "run-1")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_a_member")

    # Reconciliation lets them in.
    connect(red.place.product, red.export)
    run = reconciliation_request(console_context(), product_id=ProductId(red.place.product.pk))
    done = reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk))
    assert done is not None
    assert done.counts == {"members": 3, "imported": 3, "open_drift": 0}
    assert all(red.ask(member)["decision"] == "allow" for member in red.members)
    assert red.consume(red.members[0], "run-2").status_code == 201


@pytest.mark.slow
def test_a_product_that_is_ready_goes_central_and_one_organization_back(red: Product) -> None:
    connect(red.place.product, red.export)
    red.move(BillingMode.SHADOW)
    run = reconciliation_request(console_context(), product_id=ProductId(red.place.product.pk))
    reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk))
    said = red.check()
    assert said.endswith("exit 0"), said
    assert "Shadow mode has run on 0 days; 7 are needed." in said
    with pytest.raises(ConflictError):
        red.move(BillingMode.CENTRAL)
    shadow_for_a_week(red)
    said = red.check()
    assert "Ready for central." in said, said
    red.move(BillingMode.CENTRAL)
    local = {"decision": "allow", "balance": "50", "charge": "2.5"}
    assert red.ask(red.members[0], local_decision=local)["decided_by"] == "central"
    billing_exception_change(
        console_context(),
        product_id=ProductId(red.place.product.pk),
        organization_id=OrganizationId(red.place.organization.pk),
        mode=BillingMode.LOCAL,
        reason="asks for a week more",
    )
    assert red.ask(red.members[0], local_decision=local)["decided_by"] == "local"
    billing_mode_revert(console_context(), product_id=ProductId(red.place.product.pk), reason="convinced")
    assert red.ask(red.members[0], local_decision=local)["decided_by"] == "central"

    # The checks have closed what they made, and their tokens are no more.
    made = Organization.objects.filter(is_synthetic=True)
    assert made.count() == CutoverCheck.objects.count() == 2
    assert not made.filter(closed_at=None).exists()
    assert set(BillingModeException.objects.values_list("organization__is_synthetic", flat=True)) == {True}
    assert not ServiceToken.objects.filter(name="cutover check", revoked_at=None).exists()
    assert not Membership.objects.filter(organization__is_synthetic=True).exists()
