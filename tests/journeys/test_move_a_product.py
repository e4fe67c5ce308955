"""The example product is moved to central, as two programs that speak over HTTP: its own process, and our web server's.

What staff do on the pages goes through the services; commands run as the console runs them (spec 02, Cutover).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId, ProductId
from apps.credits.enums import DisagreementClass
from apps.credits.models import CreditEntry, ShadowComparison
from apps.credits.services import differences_explain
from apps.tenants.enums import BillingMode
from apps.tenants.models import Membership
from apps.tenants.services import (
    billing_exception_change,
)
from tests.contexts import console_context, staff_context
from tests.credits.cast import assert_sound
from tests.journeys.example_product import Teal, running

pytestmark = [pytest.mark.journey, pytest.mark.faults, pytest.mark.django_db(transaction=True)]
Said = tuple[int, dict[str, Any]]


@pytest.fixture
def teal(tmp_path: Path, settings: Settings) -> Iterator[Teal]:
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1"]
    with running(tmp_path) as made:
        yield made


def by_product(balance: str, *reported: int, code: str = "ok") -> Said:
    """Allowed by the product itself, with what it has left afterwards and how its report was answered."""
    return 201, {"decision": "allow", "code": code, "decided_by": "local", "balance": balance, "reported": [*reported]}


def by_us(balance: str, *reported: int) -> Said:
    """Allowed by Countinghouse; the product's own balance stays as it was at the cutover."""
    return 201, {
        "decision": "allow",
        "code": "ok",
        "decided_by": "central",
        "balance": balance,
        "reported": [*reported],
    }


def denied(code: str) -> Said:
    return 403, {"decision": "deny", "code": code, "decided_by": "central"}


def test_the_example_product_moves_to_central_and_one_customer_back(teal: Teal) -> None:
    call_command("publish_policy", "examples/product/policy.json", product="teal", stdout=StringIO())
    decide_by_itself(teal)
    compare_in_shadow_mode(teal)
    bring_members_and_balances_level(teal)
    pass_the_gate(teal)
    decide_centrally(teal)
    go_back_for_one(teal)
    bear_an_outage(teal)


def decide_by_itself(teal: Teal) -> None:
    """Local: the product decides and charges; what it charged is noted here, and nothing charged."""
    # We would deny: no balance is here yet.
    assert teal.translate("run-1", 101, teal.known) == by_product("49.84", 201, code="decided_by_product")
    noted = CreditEntry.objects.get(run_id="run-1")
    assert (noted.amount, noted.shadow_charge, noted.local_charge) == (0, 150_000, 160_000)
    assert "Imported here now: 69.84 credits." in teal.import_balances()
    assert teal.balances() == (49_84, 20_00)


def compare_in_shadow_mode(teal: Teal) -> None:
    teal.move(BillingMode.SHADOW)
    before = teal.differences()
    # 100 words cost the same on both sides, 101 are rounded otherwise; and one member was never reported.
    assert teal.translate("run-2", 100, teal.known) == by_product("49.69", 201)
    assert teal.differences() == before
    assert teal.translate("run-3", 101, teal.known) == by_product("49.53", 201)
    assert teal.translate("run-4", 100, teal.missing) == by_product("49.38", 201, code="decided_by_product")
    assert teal.differences() - before == {"rounding": 2, "membership": 1, "booked_though_not_a_member": 1}
    assert teal.balances() == (49_84, 20_00)


def bring_members_and_balances_level(teal: Teal) -> None:
    # Whoever comes by invitation from now on is reported at once.
    invitation = {"organization_id": str(teal.acme.pk), "email": "new@example.com", "name": "New", "role": "admin"}
    status, invited = teal.post("invitations", **invitation)
    assert status == 201
    newcomer = str(uuid.uuid4())
    accept = f"invitations/{invited['code']}/accept"
    assert teal.post(accept, user_id=newcomer) == (201, {"role": "admin", "reported": [201, 201]})
    assert teal.post(accept, user_id=newcomer)[0] == 404
    assert Membership.objects.get(user__id=newcomer).role == "admin"
    # Those from before come by reconciliation, and the balances once more by their file.
    run = teal.reconcile()
    assert (run.status, run.counts) == ("succeeded", {"members": 4, "agreed": 3, "imported": 1, "open_drift": 0})
    with pytest.raises(CommandError, match="Nothing was imported"):
        teal.import_balances()
    assert "Imported here now: 69.38 credits." in teal.import_balances("--update")
    before = teal.differences()
    assert teal.translate("run-5", 100, teal.missing) == by_product("49.23", 201)
    assert teal.differences() == before


def pass_the_gate(teal: Teal) -> None:
    said = teal.check()
    assert "4 members agree." in said
    assert "Central is refused so far:" in said
    assert "3 differences in money not explained." in said
    with pytest.raises(ConflictError):
        teal.move(BillingMode.CENTRAL)
    # A week goes by, and staff explain what is known.
    today = clock.now().astimezone(UTC).date()
    for back in range(1, 8):
        ShadowComparison.objects.create(product=teal.product, day=today - timedelta(days=back), compared=200)
    differences_explain(
        staff_context(),
        product_id=ProductId(teal.product.pk),
        difference=DisagreementClass.ROUNDING,
        operation="translate",
        covers_coming=False,
        reason="Teal rounds up; from the cutover on we round half up, which costs nobody more.",
    )
    assert "Ready for central." in teal.check()
    teal.import_balances("--update")
    teal.move(BillingMode.CENTRAL)


def decide_centrally(teal: Teal) -> None:
    assert teal.translate("run-6", 101, teal.missing) == by_us("49.23", 201)
    # Reported again, as after a timeout: nothing is charged twice.
    assert teal.translate("run-6", 101, teal.missing) == by_us("49.23", 200)
    assert teal.balances() == (49_08, 20_00)
    assert teal.translate("run-7", 100_000, teal.missing) == denied("insufficient_credits")
    removed = requests.delete(f"{teal.address}/members/{teal.acme.pk}/{teal.missing.pk}", timeout=60)
    assert removed.json() == {"reported": [204]}
    assert teal.translate("run-8", 100, teal.missing) == denied("not_a_member")
    assert teal.balances() == (49_08, 20_00)


def go_back_for_one(teal: Teal) -> None:
    assert teal.translate("run-9", 100, teal.known, teal.zenith) == by_us("20.00", 201)
    billing_exception_change(
        console_context(),
        product_id=ProductId(teal.product.pk),
        organization_id=OrganizationId(teal.zenith.pk),
        mode=BillingMode.LOCAL,
        reason="asks for a week more",
    )
    assert teal.translate("run-10", 100, teal.known, teal.zenith) == by_product("19.85", 201)
    assert teal.translate("run-11", 100, teal.known) == by_us("49.23", 201)
    assert teal.balances() == (48_93, 19_85)


def bear_an_outage(teal: Teal) -> None:
    """Where the product decides, it goes on by itself and reports later; where we decide, it says that it can't."""
    teal.web.kill()
    assert teal.translate("run-12", 100, teal.known, teal.zenith) == by_product("19.70", code="decided_alone")
    assert teal.translate("run-13", 100, teal.known) == (503, {})
    teal.web.start()
    teal.web.wait_until_up()
    assert teal.translate("run-14", 100, teal.known, teal.zenith) == by_product("19.55", 201, 201)
    late = CreditEntry.objects.get(run_id="run-12")
    assert (late.amount, late.local_charge) == (0, 150_000)
    assert not CreditEntry.objects.filter(run_id="run-13").exists()
    assert_sound()
