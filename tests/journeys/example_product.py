"""The example product as a process, beside a real web server's, and what staff do with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import requests
from django.core.management import call_command

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole
from apps.core.ids import ProductId, ReconciliationRunId
from apps.credits.models import CreditAccount
from apps.credits.selectors.drift import drift_of
from apps.tenants.enums import BillingMode
from apps.tenants.models import Organization, Product, ReconciliationRun, User
from apps.tenants.reconciliation.engine import reconciliation_run_execute
from apps.tenants.services import (
    product_billing_mode_change,
    product_export_change,
    reconciliation_request,
)
from billing_site.launcher.places import PROJECT
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_organization, make_product, make_token, make_user
from tests.faults.stacks import free_port, wait_until
from tests.faults.web_servers import WebServer

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


@contextmanager
def running(folder: Path) -> Iterator[Teal]:
    """Both programs, with a file of customers; ended with the block."""
    acme, zenith, known, missing = make_organization("Acme"), make_organization("Zenith"), make_user(), make_user()
    product = make_product("teal", acme, zenith)
    web = WebServer(folder)
    web.start()
    port = free_port()
    made = Teal(product, web, f"http://127.0.0.1:{port}", folder, acme, zenith, known, missing)
    for organization in (acme, zenith):
        make_membership(organization, known)
    people = ((acme, known), (acme, missing), (zenith, known))
    members = [{"organization_id": str(o.pk), "user_id": str(u.pk), "role": MembershipRole.MEMBER} for o, u in people]
    customers = folder / "customers.json"
    balances = {str(acme.pk): 50_00, str(zenith.pk): 20_00}
    customers.write_text(json.dumps({"members": members, "balances": balances}), encoding="utf-8")
    with (folder / "teal.log").open("wb") as log:
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
        wait_until(made.is_up, (folder / "teal.log").read_text)
        web.wait_until_up()
        yield made
        assert "Traceback" not in (folder / "teal.log").read_text()
    finally:
        process.kill()
        process.wait()
        web.kill()
