"""What the gate said then is what the explanation rebuilds of then: over everything that an answer rests on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, ProductId, UserId, WorkspaceId
from apps.core.models import AuditEntry
from apps.credits.contracts import Question
from apps.credits.models import CreditEntry, Hold
from apps.credits.rules.pricing import Price
from apps.credits.selectors import as_of
from apps.credits.services import (
    credit_policy_publish_prices,
    credits_authorize,
    credits_consume,
    entry_reverse,
    hold_capture,
    hold_release,
    overdraft_set,
)
from apps.credits.services.explanations import credits_explain
from apps.credits.services.holds import CaptureParams
from apps.subscriptions.contracts import (
    Lock,
    Resume,
    SetSubscriptionStatus,
    SetUsageOverride,
    Suspend,
    Unlock,
    WorkspacePlace,
)
from apps.subscriptions.enums import SubscriptionScope, SubscriptionState, SubscriptionStatus, UsageCategoryOverride
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.services import payment_config_change
from apps.tenants.models import User
from apps.tenants.services import member_remove
from tests.contexts import console_context, staff_context
from tests.credits.cast import PRICES, Place, consumption, give, make_place
from tests.factories.tenants import make_membership, make_user, make_workspace
from tests.subscriptions.cast import REASON, lead_to, make_plan, provider_context, staff_change

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class World:
    """A product's place with a workspace and a person."""

    place: Place
    home: WorkspacePlace
    person: User

    @property
    def questions(self) -> list[Question]:
        ref, workspace_id = self.place.ref, self.home.workspace_id
        return [
            Question(ref, "fix_run", MICRO, user_id=self.person.pk, workspace_id=workspace_id),
            Question(ref, "scan", 60 * MICRO, workspace_id=workspace_id),
            Question(ref, "unit", 40 * MICRO, workspace_id=workspace_id),
            Question(ref, "fresh", MICRO, workspace_id=workspace_id),
        ]


@pytest.fixture
def world() -> World:
    place = make_place()
    workspace = make_workspace(place.organization)
    home = WorkspacePlace(WorkspaceId(workspace.pk), OrganizationId(place.organization.pk))
    return World(place, home, make_user())


def hold(world: World, operation: str = "scan", quantity: int = 30) -> uuid.UUID:
    question = Question(world.place.ref, operation, quantity * MICRO, workspace_id=world.home.workspace_id)
    credits_authorize(world.place.context, question=question, hold_ttl=HOUR, key=uuid.uuid4().hex)
    return Hold.objects.latest("created_at").pk


def sales(home: WorkspacePlace) -> Iterator[Callable[[], Any]]:
    """The organization subscribes as a whole, and then for other workspaces alone."""
    for scope in SubscriptionScope.ORGANIZATION, SubscriptionScope.WORKSPACES:
        sold = SetSubscriptionStatus(SubscriptionStatus.SUBSCRIBED, scope)
        yield partial(payment_config_change, provider_context(), organization_id=home.organization_id, change=sold)


def deeds(world: World) -> Iterator[Callable[[], Any]]:
    """Everything that an answer can rest on, changed and changed back."""
    place, home, person = world.place, world.home, world.person
    config: dict[str, Any] = {"organization_id": home.organization_id, "reason": REASON}
    yield lambda: None
    yield lambda: make_membership(place.organization, person, MembershipRole.MEMBER)
    yield lambda: give(place, 50 * MICRO)
    yield from sales(home)
    yield lambda: lead_to(home, SubscriptionState.ACTIVE, PlanId(make_plan().pk))
    yield lambda: credits_consume(place.context, consumption=consumption(place, operation="scan", quantity=70 * MICRO))
    yield lambda: credits_consume(place.context, consumption=consumption(place))
    yield lambda: staff_change(home, Suspend())
    yield lambda: staff_change(home, Resume())
    yield lambda: hold(world)
    yield lambda: hold_release(place.context, hold_id=Hold.objects.get().pk, key="h")
    yield lambda: hold_capture(
        place.context, hold_id=hold(world, "unit", 10), key="k", params=CaptureParams("succeeded", quantity=4 * MICRO)
    )
    yield lambda: payment_config_change(staff_context(), change=Lock(), **config)
    yield lambda: payment_config_change(staff_context(), change=Unlock(), **config)
    yield lambda: make_membership(place.organization, person, MembershipRole.ADMIN)
    internal = SetUsageOverride(UsageCategoryOverride.INTERNAL)
    yield lambda: payment_config_change(staff_context(), change=internal, **config)
    yield lambda: payment_config_change(staff_context(), change=SetUsageOverride(None), **config)
    yield lambda: entry_reverse(
        staff_context(),
        entry_id=CreditEntry.objects.filter(operation="scan").latest("sequence").pk,
        key="r",
        reason="x",
    )
    prices = [*(replace(price, unit_price=2 * price.unit_price) for price in PRICES), Price("fresh", "run", MICRO)]
    yield lambda: credit_policy_publish_prices(
        console_context(), product_id=ProductId(place.product.pk), prices=prices, accept_outcomes=True
    )
    yield lambda: overdraft_set(staff_context(), account_id=place.organization.pk, limit=500 * MICRO, reason="x")
    yield lambda: overdraft_set(staff_context(), account_id=place.organization.pk, limit=0, reason="x")
    yield lambda: member_remove(
        console_context(), organization_id=home.organization_id, user_id=UserId(person.pk), reason="left"
    )
    yield lambda: make_membership(place.organization, person, MembershipRole.VIEWER)


def answers(world: World) -> list[tuple[str, list[Any], int | None]]:
    found = [credits_authorize(world.place.context, question=question) for question in world.questions]
    return [(str(one["decision"]), _told(one["explanation"]), one["price"]) for one in found]  # type: ignore[arg-type, misc]


def _told(chain: list[Any]) -> list[Any]:
    """Without the words for a missing membership: a product is told of its own reports, staff of all."""
    return [
        {**step, "fact": "no row"} if (step["rule"], step["outcome"]) == ("membership", "deny") else step
        for step in chain
    ]


def rebuilt(world: World, at: datetime | None) -> list[tuple[str, list[Any], int | None]]:
    found = [credits_explain(world.place.product, question, at=at) for question in world.questions]
    assert not any(one.gaps for one in found)
    return [
        (
            "allow" if one.is_allowed else "deny",
            _told([{"rule": s.rule, "outcome": s.outcome, "fact": s.fact, "record": s.record} for s in one.chain]),
            one.price,
        )
        for one in found
    ]


@pytest.mark.slow
def test_each_answer_is_rebuilt_as_it_was_given(world: World) -> None:
    then = []
    for deed in deeds(world):
        deed()
        given = answers(world)
        assert rebuilt(world, None) == given
        then.append((clock.now(), given))
    assert len({str(given) for _, given in then}) >= 15
    for at, given in then:
        assert rebuilt(world, at) == given, at


def test_asking_changes_nothing_and_writes_nothing(world: World) -> None:
    give(world.place, 50 * MICRO, expires_at=clock.now() + HOUR)
    counts = (CreditEntry.objects.count(), AuditEntry.objects.count(), DecisionReceipt.objects.count())
    with CaptureQueriesContext(connection) as sent:
        rebuilt(world, None)
        rebuilt(world, clock.now())
    assert not [query for query in sent.captured_queries if not query["sql"].lstrip().upper().startswith("SELECT")]
    assert counts == (CreditEntry.objects.count(), AuditEntry.objects.count(), DecisionReceipt.objects.count())


def test_what_can_not_be_rebuilt_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_membership(world.place.organization, world.person)
    give(world.place, 50 * MICRO)
    credits_consume(world.place.context, consumption=consumption(world.place, operation="scan", quantity=70 * MICRO))
    at = clock.now()
    member_remove(console_context(), organization_id=world.home.organization_id, user_id=UserId(world.person.pk))
    by_person, scan = world.questions[:2]
    assert not credits_explain(world.place.product, by_person, at=at).gaps
    monkeypatch.setattr(as_of, "MOST_OF_A_MONTH", 1)
    [gap] = credits_explain(world.place.product, scan, at=at).gaps
    assert "free quantity" in gap
    # As the release before wrote it: without the person.
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE core_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE core_auditentry SET before = before - 'user_id' WHERE event = 'membership.removed'")
        cursor.execute("ALTER TABLE core_auditentry ENABLE TRIGGER USER")
    [gap] = credits_explain(world.place.product, by_person, at=at).gaps
    assert "left later" in gap


def test_a_product_that_may_not_ask_is_told_why(world: World) -> None:
    stranger = make_place("blue").product
    answer = credits_explain(stranger, world.questions[0])
    assert not answer.is_allowed
    assert [step.rule for step in answer.chain] == ["product_relation"]
