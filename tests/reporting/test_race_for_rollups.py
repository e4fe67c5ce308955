"""Whatever order transactions end in, the rollups lose nothing and count nothing twice (spec 07, Rollups)."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections, transaction

from apps.core.ids import OrganizationId
from apps.credits.services import credits_consume
from apps.reporting.selectors.faults import rollup_faults
from apps.reporting.services import rollups as rollup_services
from apps.reporting.services import rollups_refresh
from tests.contexts import console_context
from tests.credits.cast import consumption, make_place
from tests.sizes import size


class OutOfOrder:
    """Two charges whose transactions begin one way and end the other, with the job between and after."""

    def __init__(self) -> None:
        self.places = [make_place("red", whole_credits=10), make_place("blue", whole_credits=10)]
        self.is_written, self.may_end = threading.Event(), threading.Event()

    def charge_slowly(self) -> None:
        try:
            with transaction.atomic():
                credits_consume(self.places[0].context, consumption=consumption(self.places[0]))
                self.is_written.set()
                self.may_end.wait(20)
        finally:
            connections.close_all()

    def run(self) -> list[str]:
        thread = threading.Thread(target=self.charge_slowly)
        thread.start()
        assert self.is_written.wait(20)
        # Later, and visible first: its row, and a position that is the latest row of all, would pass over the other.
        credits_consume(self.places[1].context, consumption=consumption(self.places[1]))
        rollups_refresh(console_context())
        self.may_end.set()
        thread.join()
        rollups_refresh(console_context())
        return [fault for place in self.places for fault in entries_missing(place.organization.pk)]


def entries_missing(account_id: Any) -> list[str]:
    """Charges that no rollup has, compared without the position."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT COUNT(*) FROM credits_creditentry WHERE account_id = %(id)s AND kind = 'consumption') -"
            " (SELECT COALESCE(SUM(count), 0) FROM reporting_creditrollup WHERE account_id = %(id)s)",
            {"id": account_id},
        )
        (missing,) = cursor.fetchone() or (0,)
    return [f"{account_id}: {missing}"] if missing else []


@pytest.mark.django_db(transaction=True)
def test_what_becomes_visible_late_is_not_lost() -> None:
    assert OutOfOrder().run() == []


@pytest.mark.django_db(transaction=True)
def test_a_position_by_time_of_recording_would_lose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: all accounts share one position, the latest moment that was rolled up."""
    position = [datetime(2000, 1, 1, tzinfo=UTC)]

    def behind(organization_id: OrganizationId | None) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT ARRAY_AGG(DISTINCT account_id), MAX(recorded_at) FROM credits_creditentry
                WHERE recorded_at > %s""",
                position,
            )
            accounts, latest = cursor.fetchone() or (None, None)
        position[0] = latest or position[0]
        return accounts or []

    monkeypatch.setattr(rollup_services, "_behind", behind)
    assert len(OutOfOrder().run()) == 1


@pytest.mark.django_db(transaction=True)
def test_two_refreshes_at_once_count_nothing_twice() -> None:
    place = make_place(whole_credits=10_000)
    for _ in range(20):
        credits_consume(place.context, consumption=consumption(place))
    stop = threading.Event()

    def refresh_often() -> None:
        try:
            while not stop.is_set():
                rollups_refresh(console_context())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=refresh_often) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(size(small=10, full=500)):
            credits_consume(place.context, consumption=consumption(place))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    rollups_refresh(console_context())
    assert entries_missing(place.organization.pk) == []
    assert rollup_faults(place.organization.pk) == []
