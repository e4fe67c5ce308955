"""No page reads more as the data grow: a tenth against the whole (spec 11, Speed: any page, in buffers).

`make scale ENTRIES=500000` prints the table, with every filter; the gate looks at the lists and pages of a small one.
"""

from __future__ import annotations

import os

import pytest
from django.test import Client

from apps.core.enums import Role
from apps.credits.selectors.ledger import ledger_faults
from apps.credits.services import comparisons
from apps.tenants.models import User, Workspace
from apps.tenants.tokens import forget_all
from tests.backoffice.people import sign_in
from tests.databases import empty_tables
from tests.factories.tenants import make_staff
from tests.scale.build import build
from tests.scale.measure import Cost, measure, staff_addresses, tenant_addresses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walk]

IS_WHOLE = "COUNTINGHOUSE_SCALE" in os.environ
ENTRIES = int(os.environ.get("COUNTINGHOUSE_SCALE") or 4_000)
MOST_BUFFERS = 2_000
MOST_GROWTH = 2.0
# Below this, growth is that of an index by a level, and of the rows that a page shows: most of it where there are few.
TOO_LITTLE = 400 if IS_WHOLE else 1_500


def look(entries: int) -> dict[str, Cost]:
    build(entries)
    assert list(ledger_faults()) == []
    client = Client()
    staff = make_staff(Role.PLATFORM_ADMIN)
    sign_in(client, staff)
    found = measure(client, staff_addresses(staff, choices=12 if IS_WHOLE else 0))
    tenant = Client()
    workspace = Workspace.objects.get(slug="scale-1-production")
    tenant.force_login(User.objects.get(email="user1@scale.example"), "django.contrib.auth.backends.ModelBackend")
    return found | measure(tenant, tenant_addresses(workspace))


def test_no_page_reads_more_as_the_data_grow(capsys: pytest.CaptureFixture[str]) -> None:
    small = look(ENTRIES // 10)
    empty_tables()
    forget_all()
    comparisons._tally = comparisons.Tally()
    large = look(ENTRIES)
    missed = {
        name: cost
        for name, cost in large.items()
        if cost.buffers > MOST_BUFFERS
        or (cost.buffers > TOO_LITTLE and cost.buffers > MOST_GROWTH * small.get(name, Cost()).buffers)
        or cost.statements > small.get(name, cost).statements
    }
    with capsys.disabled():
        print(f"\n{'page':70} {'buffers at':>10} {ENTRIES // 10:>12,} {ENTRIES:>12,} entries; statements")
        for name, cost in sorted(large.items(), key=lambda each: -each[1].buffers):
            if IS_WHOLE or name in missed:
                mark = "  MISSED" if name in missed else ""
                print(
                    f"{name:81} {small.get(name, Cost()).buffers:>12,} {cost.buffers:>12,} {cost.statements:>4}{mark}"
                )
        for name, cost in missed.items():
            print(f"\n{name}\n  {cost.worst}")
    assert not missed
