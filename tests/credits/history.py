"""A month in the life of an account, made through the services at moments of the past."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

import time_machine

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.ids import ProductId
from apps.credits.contracts import Question
from apps.credits.services import (
    credit_adjust,
    credit_policy_publish_prices,
    credits_authorize,
    credits_consume,
    entry_reverse,
)
from tests.contexts import console_context, product_context
from tests.credits.cast import PRICES, Place, consumption, give, make_place
from tests.factories.tenants import make_product

SEED = 20261121


def make_old_place(slug: str = "red") -> Place:
    """A place whose policy has been in force for long enough."""
    with time_machine.travel(clock.now() - timedelta(days=40), tick=False):
        return make_place(slug)


def live_a_month(place: Place, *, user_id: uuid.UUID | None = None, days: int = 26) -> None:
    """Grants of several kinds, spending in two products on most days, a reversal, an expiry, a hold, an adjustment."""
    chance = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    blue = make_product("blue", place.organization)
    with time_machine.travel(clock.now() - timedelta(days=days + 3), tick=False):
        credit_policy_publish_prices(console_context(), product_id=ProductId(blue.pk), prices=PRICES)
        give(place, 40 * MICRO, expires_at=clock.now() + timedelta(days=12), priority=200)
        give(place, 900 * MICRO)
    other = Place(blue, place.organization, product_context(blue))
    for ago in range(days, 0, -1):
        with time_machine.travel(clock.now() - timedelta(days=ago), tick=False):
            for where, most in ((place, 6), (other, 3)):
                for _ in range(chance.randrange(most)):
                    quantity = chance.randrange(1, 4) * MICRO
                    credits_consume(where.context, consumption=consumption(where, quantity=quantity, user_id=user_id))
    charged = credits_consume(place.context, consumption=consumption(place, user_id=user_id))
    entry_id = uuid.UUID(str(charged.body["entry_id"]))
    entry_reverse(place.context, entry_id=entry_id, key="back", reason="a failed run")
    credits_consume(place.context, consumption=consumption(place, operation="scan", quantity=40 * MICRO))
    credits_consume(place.context, consumption=consumption(place, outcome="failed"))
    question = Question(account=place.ref, operation="fix_run", quantity=2 * MICRO)
    credits_authorize(place.context, question=question, hold_ttl=timedelta(minutes=10), key=uuid.uuid4().hex)
    credit_adjust(
        console_context(), account_id=place.organization.pk, key="adjust", amount=5 * MICRO, reason="agreed by phone"
    )
    give(place, 60 * MICRO, expires_at=clock.now() + timedelta(days=20))
