"""The example product is moved to central, as two programs that speak over HTTP: its own process, and our web server's.

What staff do on the pages goes through the services; commands run as the console runs them (spec 02, Cutover).
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole
from apps.core.errors import ConflictError
from apps.core.ids import OrganizationId, ProductId, ReconciliationRunId
from apps.credits.enums import DisagreementClass
from apps.credits.models import CreditAccount, CreditEntry, ShadowComparison
from apps.credits.selectors.drift import drift_of
from apps.credits.services import differences_explain
from apps.tenants.enums import BillingMode
from apps.tenants.models import Membership, Organization, Product, ReconciliationRun, User
from apps.tenants.reconciliation.engine import reconciliation_run_execute
from apps.tenants.services import (
    billing_exception_change,
    product_billing_mode_change,
    product_export_change,
    reconciliation_request,
)
from billing_site.launcher.places import PROJECT
from tests.contexts import console_context, staff_context
from tests.credits.cast import assert_sound
from tests.factories.tenants import make_membership, make_organization, make_product, make_token, make_user
from tests.faults.stacks import free_port, wait_until
from tests.faults.web_servers import WebServer

pytestmark = [pytest.mark.journey, pytest.mark.faults, pytest.mark.django_db(transaction=True)]
KEY = "teal-export-key-of-tests"


@dataclass
class Teal:
    """The example product's process, and the cast: two customers, one member whom we know and one whom we don't."""

    product: Product
    web: WebServer
    address: str
    folder: Path
    acme: Organization
    zenith: Organization
    known: User
    missing: User

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = requests.post(f"{self.address}/{path}", json=body, timeout=60)
        return answer.status_code, answer.json()

    def translate(
        self, run_id: str, words: int, user: User, organization: Organization | None = None
    ) -> tuple[int, dict[str, Any]]:
        place = organization or self.acme
        ids = {"organization_id": str(place.pk), "user_id": str(user.pk)}
        status, said = self.post("translations", run_id=run_id, words=words, **ids)
        return status, {name: value for name, value in said.items() if name != "detail"}

    def read(self, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {KEY}"}
        return requests.get(f"{self.address}/billing/{path}", headers=headers, timeout=10)

    def is_up(self) -> bool:
        try:
            return self.read("members").ok
        except requests.ConnectionError:
            return False

    def import_balances(self, *options: str) -> str:
        """What `manage.py import_balances` prints of the product's own file."""
        file, said = self.folder / "balances.csv", StringIO()
        file.write_text(self.read("balances.csv").text, encoding="utf-8")
        call_command("import_balances", str(file), *options, product="teal", stdout=said, stderr=StringIO())
        return said.getvalue()

    def check(self) -> str:
        """What `manage.py cutover_check` prints, which must not fail."""
        said = StringIO()
        call_command("cutover_check", product="teal", base_url=self.web.address, stdout=said)
        return said.getvalue()

    def move(self, mode: BillingMode) -> None:
        product_id = ProductId(self.product.pk)
        product_billing_mode_change(console_context(), product_id=product_id, billing_mode=mode, reason="the cutover")

    def reconcile(self) -> ReconciliationRun:
        product_export_change(
            console_context(),
            product_id=ProductId(self.product.pk),
            url=f"{self.address}/billing/members",
            key=KEY,
            reason="to be reconciled",
        )
        run = reconciliation_request(console_context(), product_id=ProductId(self.product.pk))
        done = reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk))
        assert done is not None
        return done

    def balances(self) -> tuple[int, int]:
        """Hundredths of a credit of the two customers, as we have them."""
        found = dict(CreditAccount.objects.values_list("organization", "balance"))
        return found[self.acme.pk] * 100 // MICRO, found[self.zenith.pk] * 100 // MICRO

    def differences(self) -> Counter[str]:
        """What the board shows, by class."""
        counts = drift_of(self.product.pk, clock.now()).counts
        return Counter({each.value: sum(days) for each, days in counts.items()})


@pytest.fixture
def teal(tmp_path: Path, settings: Settings) -> Iterator[Teal]:
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1"]
    acme, zenith, known, missing = make_organization("Acme"), make_organization("Zenith"), make_user(), make_user()
    product = make_product("teal", acme, zenith)
    web = WebServer(tmp_path)
    web.start()
    port = free_port()
    made = Teal(product, web, f"http://127.0.0.1:{port}", tmp_path, acme, zenith, known, missing)
    for organization in (acme, zenith):
        make_membership(organization, known)
    people = ((acme, known), (acme, missing), (zenith, known))
    members = [{"organization_id": str(o.pk), "user_id": str(u.pk), "role": MembershipRole.MEMBER} for o, u in people]
    customers = tmp_path / "customers.json"
    balances = {str(acme.pk): 50_00, str(zenith.pk): 20_00}
    customers.write_text(json.dumps({"members": members, "balances": balances}), encoding="utf-8")
    with (tmp_path / "teal.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.product", str(customers)],
            cwd=PROJECT,
            env={
                "COUNTINGHOUSE_URL": web.address,
                "COUNTINGHOUSE_TOKEN": make_token(product),
                "EXPORT_KEY": KEY,
                "PORT": str(port),
            },
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(made.is_up, (tmp_path / "teal.log").read_text)
        web.wait_until_up()
        yield made
        assert "Traceback" not in (tmp_path / "teal.log").read_text()
    finally:
        process.kill()
        process.wait()
        web.kill()


Said = tuple[int, dict[str, Any]]


def by_product(balance: str, *reported: int, code: str = "ok") -> Said:
    """Allowed by the product itself, with what it has left afterwards and how its report was answered."""
    said = {"decision": "allow", "code": code, "decided_by": "local"}
    return 201, {**said, "balance": balance, "reported": list(reported)}


def by_us(balance: str, *reported: int) -> Said:
    """Allowed by Countinghouse; the product's own balance stays as it was at the cutover."""
    said = {"decision": "allow", "code": "ok", "decided_by": "central"}
    return 201, {**said, "balance": balance, "reported": list(reported)}


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
    said = teal.import_balances()
    assert "Imported here now: 69.84 credits." in said
    assert teal.balances() == (49_84, 20_00)


def compare_in_shadow_mode(teal: Teal) -> None:
    teal.move(BillingMode.SHADOW)
    before = teal.differences()
    # 100 words cost the same on both sides, 101 are rounded otherwise; and one member was never reported.
    assert teal.translate("run-2", 100, teal.known) == by_product("49.69", 201)
    assert teal.differences() == before
    assert teal.translate("run-3", 101, teal.known) == by_product("49.53", 201)
    assert teal.translate("run-4", 100, teal.missing) == by_product("49.38", 201, code="decided_by_product")
    found = teal.differences() - before
    assert found == {"rounding": 2, "membership": 1, "booked_though_not_a_member": 1}
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
    assert Membership.objects.get(user=newcomer).role == "admin"
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
    product_id = ProductId(teal.product.pk)
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
        product_id=product_id,
        difference=DisagreementClass.ROUNDING,
        operation="translate",
        covers_coming=False,
        reason="Teal rounds up; from the cutover on we round half up, which costs nobody more.",
    )
    said = teal.check()
    assert "Ready for central." in said, said
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
