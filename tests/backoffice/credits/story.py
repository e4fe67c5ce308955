"""One product's story in credits, in which every kind of record comes up once."""

from __future__ import annotations

import uuid
from datetime import timedelta

from apps.core.amounts import MICRO
from apps.credits.contracts import Question
from apps.credits.enums import OnInsufficient
from apps.credits.services import credits_authorize, credits_consume
from apps.credits.services.authorization import LocalDecision
from tests.credits.cast import Place, consumption, give, look_at, make_place

GIVEN = 10 * MICRO


def tell_story() -> Place:
    """A grant, a charge, a hold, a disagreement about the balance, and a debt that no grant has paid."""
    place = make_place(f"p{uuid.uuid4().hex[:10]}")
    give(place, GIVEN)
    credits_consume(place.context, consumption=consumption(place))
    question = Question(account=place.ref, operation="unit", quantity=MICRO)
    credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key=uuid.uuid4().hex)
    credits_authorize(place.context, question=question, local=LocalDecision("allow", 1, MICRO))
    in_debt = consumption(place, operation="unit", quantity=20 * MICRO, on_insufficient=OnInsufficient.RECORD)
    credits_consume(place.context, consumption=in_debt)
    look_at(place)
    return place
