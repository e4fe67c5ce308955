"""Nothing reads more as the data grow: a tenth against the whole (spec 11, Speed; buffers, statements).

`make scale ENTRIES=500000` prints the table, with every filter; the gate looks at the lists and pages of a small one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.test import Client

from apps.core.enums import Role
from apps.credits.selectors.ledger import ledger_faults
from apps.credits.services import comparisons
from apps.tenants.models import User
from apps.tenants.tokens import forget_all
from tests.backoffice.people import sign_in
from tests.databases import empty_tables
from tests.factories.tenants import make_staff
from tests.scale.asked import Asked, product_calls, staff_pages, tenant_pages
from tests.scale.build import build
from tests.scale.measure import Cost, cost_of, worst_of
from tests.scale.work import claims, job_runs, reports

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walk]

IS_WHOLE = "COUNTINGHOUSE_SCALE" in os.environ
ENTRIES = int(os.environ.get("COUNTINGHOUSE_SCALE") or 4_000)
# Below this, growth is that of an index by a level, and of the rows that a page shows: most of it where there are few.
TOO_LITTLE = 400 if IS_WHOLE else 1_500


@dataclass(frozen=True, slots=True)
class Goal:
    """The most buffers (None: it takes as many statements as there is to do), the most times what a tenth of the data
    costs, and whether that is meant for each line.
    """

    buffers: int | None
    growth: float
    is_by_line: bool = False

    def is_missed(self, small: Cost, large: Cost) -> bool:
        if self.buffers is not None and large.statements > small.statements:
            return True
        if self.buffers is not None and large.buffers > self.buffers:
            return True
        lines = (small.lines or 1) / (large.lines or 1) if self.is_by_line else 1.0
        return large.buffers > TOO_LITTLE and large.buffers * lines > self.growth * small.buffers


# Spec 11, Speed. A file reads what it writes. What is about all customers, ten times as many, may look at each.
GOALS = {
    "page": Goal(2_000, 2.0),
    "usage": Goal(2_000, 1.2),
    "report": Goal(2_000, 1.2),
    "file": Goal(None, 2.0, is_by_line=True),
    "all": Goal(None, 15.0),
    # 20 to carry it out, and as many to plan it.
    "claim": Goal(40, 2.0),
}


def everything() -> Iterator[Asked]:
    """In the order of the table; jobs change what the pages would show, and come last."""
    client, tenant = Client(), Client()
    staff = make_staff(Role.PLATFORM_ADMIN)
    sign_in(client, staff)
    tenant.force_login(User.objects.get(email="user1@scale.example"), "django.contrib.auth.backends.ModelBackend")
    yield from staff_pages(client, staff, choices=12 if IS_WHOLE else 0)
    yield from tenant_pages(tenant)
    yield from product_calls()
    yield from reports()
    yield from claims()
    yield from job_runs()


def look(entries: int) -> tuple[dict[str, Cost], dict[str, Asked]]:
    build(entries)
    assert list(ledger_faults()) == []
    costs, asked = {}, {}
    for each in everything():
        costs[each.name], asked[each.name] = cost_of(each.call), each
    return costs, asked


def test_nothing_reads_more_as_the_data_grow(capsys: pytest.CaptureFixture[str]) -> None:
    small, _ = look(ENTRIES // 10)
    empty_tables()
    forget_all()
    comparisons._tally = comparisons.Tally()
    large, asked = look(ENTRIES)
    assert set(small) == set(large)
    missed = {}
    for name, cost in large.items():
        goal = GOALS[asked[name].group]
        # What a process remembers for seconds may just have been forgotten: whatever misses is asked once more.
        if goal.is_missed(small[name], cost) and goal.is_missed(small[name], cost_of(asked[name].call)):
            missed[name] = cost
    with capsys.disabled():
        print(f"\n{'':58}{'buffers at':>10}{ENTRIES // 10:>12,}{ENTRIES:>12,} statements")
        for name, cost in sorted(large.items(), key=lambda each: -each[1].buffers):
            if IS_WHOLE or name in missed:
                counts = f"{small[name].statements:>5,}{cost.statements:>5,}"
                print(f"{name:68}{small[name].buffers:>12,}{cost.buffers:>12,}{counts}{'  MISSED' * (name in missed)}")
        for name in missed:
            print(f"\n{name}\n  {worst_of(asked[name].call)}")
    assert not missed
