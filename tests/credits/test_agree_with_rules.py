"""The functions in SQL do as the pure rules say: burn order, affordability, the month of a free quantity."""

from __future__ import annotations

import itertools
import random
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from apps.core import clock
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.credits.models import CreditGrant, GrantBurn
from apps.credits.rules.allocation import affordable, allocate
from apps.credits.rules.months import free_month
from apps.credits.services import credits_consume_batch
from tests.credits.cast import assert_sound, consumption, give, look_at, make_place

pytestmark = pytest.mark.django_db
SEED = 20261129
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu")


def test_a_month_is_the_same_in_sql_and_in_the_rule() -> None:
    """Around each boundary that there is: month ends by each zone, and 35 days after them."""
    edges = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 4, 11)]
    steps = [timedelta(hours=hours) for hours in (-15, -5, -1, 0, 4, 14)]
    backs = [timedelta(0), timedelta(days=34, hours=23), timedelta(days=35), timedelta(days=36), timedelta(days=70)]
    cases = [
        (edge + step, edge + step + back, zone)
        for edge, step, back, zone in itertools.product(edges, steps, backs, ZONES)
    ]
    with connection.cursor() as cursor:
        for at, now, zone in cases:
            cursor.execute("SELECT month, is_late FROM credits_free_month(%s, %s, %s)", [at, now, zone])
            assert cursor.fetchone() == free_month(at, now, ZoneInfo(zone)), (at, now, zone)


def test_grants_burn_in_sql_as_the_rule_allocates() -> None:
    chance = random.Random(SEED)  # noqa: S311 - it must repeat
    for number in range(15):
        place = make_place(f"red-{number}")
        for _ in range(chance.randint(1, 6)):
            ends = chance.choice([None, clock.now() + timedelta(days=chance.randint(1, 3))])
            give(place, chance.randint(1, 20), priority=chance.choice([1, 100]), expires_at=ends)
        grants = list(CreditGrant.objects.filter(account=place.account))
        left = place.account.available
        dues = [chance.randint(1, 15) for _ in range(8)]
        items = [consumption(place, operation="unit", quantity=due) for due in dues]
        results = credits_consume_batch(place.context, consumptions=items)
        look_at(place)
        for due, result in zip(dues, results, strict=True):
            assert isinstance(result, Answer if affordable(due, left) else CountinghouseError), (SEED, number)
            if isinstance(result, Answer):
                left -= due
                parts, unpaid = allocate(due, grants)
                for grant, taken in parts:
                    grant.remaining -= taken
                burned = GrantBurn.objects.filter(entry_id=uuid.UUID(str(result.body["entry_id"]))).order_by("pk")
                meant = [(grant.pk, taken) for grant, taken in parts]
                assert (list(burned.values_list("grant_id", "amount")), unpaid) == (meant, 0), (SEED, number)
    assert_sound()
