"""P13: disable, pay, restore is identity; what a person disabled stays disabled (spec 11)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from apps.connectors.models import Connector
from apps.core.ids import OrganizationId
from apps.subscriptions.contracts import (
    EndGrace,
    Lock,
    MarkOkay,
    PaymentConfigChange,
    SetSubscriptionStatus,
    StartGrace,
    Unlock,
)
from apps.subscriptions.enums import SubscriptionStatus
from apps.subscriptions.services import payment_config_change
from tests.contexts import console_context
from tests.payments.cast import NOON, Tenant, make_tenant
from tests.sizes import size
from tests.subscriptions.cast import provider_context

pytestmark = [pytest.mark.django_db, pytest.mark.prove]

SEQUENCES = size(small=8, full=1_000)
SUBSCRIBED, UNSUBSCRIBED = SubscriptionStatus.SUBSCRIBED, SubscriptionStatus.UNSUBSCRIBED

# Each takes the service away and gives it back; the halves of two of them may overlap.
PAYMENT: Sequence[tuple[Sequence[PaymentConfigChange], Sequence[PaymentConfigChange]]] = (
    ((StartGrace(NOON), EndGrace()), (MarkOkay(),)),
    ((StartGrace(NOON),), (MarkOkay(),)),
    ((Lock(),), (Unlock(),)),
    ((StartGrace(NOON), EndGrace(), Lock()), (Unlock(),)),
)
SUBSCRIPTION = ((SetSubscriptionStatus(UNSUBSCRIBED),), (SetSubscriptionStatus(SUBSCRIBED),))


def change(organization_id: OrganizationId, wish: PaymentConfigChange) -> None:
    context = provider_context() if isinstance(wish, MarkOkay) else console_context()
    payment_config_change(context, organization_id=organization_id, change=wish)


def states(tenant: Tenant) -> dict[str, tuple[str, str]]:
    rows = Connector.objects.filter(workspace=tenant.workspace).values_list("name", "status", "auto_disable_reason")
    return {name: (status, reason) for name, status, reason in rows}


def make_connectors(tenant: Tenant, chance: random.Random) -> None:
    for number in range(chance.randint(1, 5)):
        status = chance.choice(["enabled", "enabled", "disabled", "pending"])
        Connector.objects.create(workspace=tenant.workspace, provider="demo", name=str(number), status=status)


def bad_and_good_times(tenant: Tenant, chance: random.Random, check: Callable[[], None]) -> None:
    """Payments fail and subscriptions end, one inside or across the other; in the end everything is in order."""
    organization_id = tenant.organization_id
    taken, given = chance.choice(PAYMENT)
    steps = [("payment", [*taken]), ("payment", [*given])]
    if chance.random() < 0.6:
        first = chance.randint(0, len(steps))
        steps.insert(first, ("subscription", [*SUBSCRIPTION[0]]))
        steps.insert(chance.randint(first + 1, len(steps)), ("subscription", [*SUBSCRIPTION[1]]))
    for _, wishes in steps:
        for wish in wishes:
            change(organization_id, wish)
            check()


@pytest.mark.prove("disable, pay, restore is identity", size=SEQUENCES, control="a forgotten restore is caught")
@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_after_any_bad_times_connectors_are_as_before(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - it must repeat
    tenant = make_tenant()
    make_connectors(tenant, chance)
    change(tenant.organization_id, MarkOkay())
    change(tenant.organization_id, SetSubscriptionStatus(SUBSCRIBED))
    before = states(tenant)

    def what_a_person_disabled_stays_so() -> None:
        now = states(tenant)
        assert all(now[name] == before[name] for name, (status, _) in before.items() if status != "enabled")

    for _ in range(chance.randint(1, 3)):
        bad_and_good_times(tenant, chance, what_a_person_disabled_stays_so)
        assert states(tenant) == before


def test_control_a_forgotten_restore_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.payments.config_handlers.connectors_restore", lambda context, **_: 0)
    tenant = make_tenant()
    Connector.objects.create(workspace=tenant.workspace, provider="demo", name="one", status="enabled")
    change(tenant.organization_id, MarkOkay())
    before = states(tenant)
    for wish in (StartGrace(NOON), EndGrace(), MarkOkay()):
        change(tenant.organization_id, wish)
    assert states(tenant) != before


def test_while_off_nothing_of_it_is_enabled() -> None:
    tenant = make_tenant()
    Connector.objects.create(workspace=tenant.workspace, provider="demo", name="one", status="enabled")
    change(tenant.organization_id, StartGrace(NOON - timedelta(days=20)))
    assert states(tenant)["one"][0] == "enabled"
    change(tenant.organization_id, EndGrace())
    assert states(tenant)["one"] == ("auto_disabled", "invalid_payment_method")
