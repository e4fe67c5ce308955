"""A product that pushes its members as snapshots."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.test import Client

from apps.core.ids import ReconciliationRunId
from apps.tenants.models import Organization, Product, ReconciliationRun
from apps.tenants.reconciliation.engine import reconciliation_run_execute
from tests.contexts import console_context
from tests.factories.tenants import make_product, make_token
from tests.tenants.reconciliation.exports import Row

URL = "/api/v1/internal/membership-snapshots"


@dataclass
class Pusher:
    """A product that pushes over HTTP."""

    product: Product
    token: str
    snapshot_id: str

    def push(self, sequence: int, members: list[Row], *, last: bool = False) -> Any:
        body = {"snapshot_id": self.snapshot_id, "sequence": sequence, "last": last, "members": members}
        return Client().post(URL, body, content_type="application/json", headers=self.headers)

    def state(self, snapshot_id: str = "") -> Any:
        return Client().get(f"{URL}/{snapshot_id or self.snapshot_id}", headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def run(self) -> ReconciliationRun:
        run = ReconciliationRun.objects.get(product=self.product, snapshot_id=self.snapshot_id)
        return reconciliation_run_execute(console_context(), ReconciliationRunId(run.pk)) or run


def pusher_of(slug: str, organization: Organization) -> Pusher:
    product = make_product(slug, organization)
    return Pusher(product, make_token(product), str(uuid.uuid4()))
