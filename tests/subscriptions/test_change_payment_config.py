"""payment_config_change: the whole matrix of statuses, verbs and actors of spec 04 on real PostgreSQL."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import Role, Scope
from apps.core.errors import ConflictError, CountinghouseError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.subscriptions.contracts import (
    EndGrace,
    ExtendGrace,
    LeaveManual,
    Lock,
    MarkOkay,
    PaymentConfigChange,
    PaymentStanding,
    ReanchorGrace,
    SetGraceDays,
    SetManual,
    SetProviderCustomer,
    SetSubscriptionStatus,
    SetUsageOverride,
    StartGrace,
    Unlock,
)
from apps.subscriptions.enums import (
    PaymentStatus,
    Provider,
    SubscriptionScope,
    SubscriptionStatus,
    UsageCategoryOverride,
)
from apps.subscriptions.models import OrganizationPaymentConfig, ProviderEvidence
from apps.subscriptions.rules.payment_transitions import PAYMENT_TRANSITIONS, status_pairs
from apps.subscriptions.services import end_grace_period, payment_config_change, payment_configs
from tests.contexts import console_context, product_context, staff_context
from tests.factories.tenants import make_organization, make_product
from tests.subscriptions.cast import REASON, news, provider_context

pytestmark = pytest.mark.django_db

# Spec 04's table written a second time: (from, to) → who may cause it.
EVERYONE, STAFF_ONLY = {"provider", "staff"}, {"staff"}
SPEC_TABLE: dict[tuple[str, str], set[str]] = {
    ("uninitialized", "okay"): {"provider"},
    ("uninitialized", "grace_period"): EVERYONE,
    ("okay", "grace_period"): EVERYONE,
    ("grace_period", "okay"): {"provider"},
    ("grace_period", "disabled"): EVERYONE,
    ("disabled", "okay"): {"provider"},
    **{(source, "locked"): EVERYONE for source in ("uninitialized", "okay", "grace_period", "disabled")},
    **{
        (source, target): STAFF_ONLY
        for source in ("locked", "manual")
        for target in ("uninitialized", "okay", "grace_period", "disabled")
    },
    **{(source.value, "manual"): STAFF_ONLY for source in PaymentStatus if source != "manual"},
    ("manual", "locked"): STAFF_ONLY,
}
VERB_TO: dict[str, list[PaymentConfigChange]] = {
    "uninitialized": [Unlock(), LeaveManual()],
    "okay": [MarkOkay(), Unlock(), LeaveManual()],
    "grace_period": [StartGrace(clock.now()), Unlock(), LeaveManual()],
    "disabled": [EndGrace(), Unlock(), LeaveManual()],
    "locked": [Lock()],
    "manual": [SetManual()],
}
ACTORS: dict[str, Callable[[], ExecutionContext]] = {"provider": provider_context, "staff": staff_context}


def make_config(status: PaymentStatus = PaymentStatus.UNINITIALIZED) -> OrganizationId:
    """A fresh organization whose payment status is brought there through the service."""
    organization_id = OrganizationId(make_organization().pk)
    ways: dict[PaymentStatus, list[PaymentConfigChange]] = {
        PaymentStatus.UNINITIALIZED: [],
        PaymentStatus.OKAY: [MarkOkay()],
        PaymentStatus.GRACE_PERIOD: [StartGrace(clock.now())],
        PaymentStatus.DISABLED: [StartGrace(clock.now()), EndGrace()],
        PaymentStatus.LOCKED: [Lock()],
        PaymentStatus.MANUAL: [SetManual()],
    }
    for change in ways[status]:
        context = provider_context() if isinstance(change, MarkOkay) else console_context()
        payment_config_change(context, organization_id=organization_id, change=change)
    return organization_id


def everything(organization_id: OrganizationId) -> tuple[object, int]:
    row = OrganizationPaymentConfig.objects.values().get(organization=organization_id)
    return row, AuditEntry.objects.filter(organization_id=organization_id).count()


def attempt(context: ExecutionContext, organization_id: OrganizationId, change: PaymentConfigChange) -> bool:
    """Whether the change was applied; if it was not, nothing may have changed."""
    before = everything(organization_id)
    try:
        outcome = payment_config_change(context, organization_id=organization_id, change=change, reason=REASON)
    except (ConflictError, ForbiddenError, UnprocessableError):
        assert everything(organization_id) == before
        return False
    if not outcome.is_applied:
        assert everything(organization_id) == before
    else:
        assert everything(organization_id)[1] == before[1] + 1
    return outcome.is_applied


def test_the_pairs_of_statuses_are_those_of_spec_04() -> None:
    assert set(status_pairs()) == set(SPEC_TABLE)


@pytest.mark.parametrize(("source", "actor"), list(itertools.product(PaymentStatus, ACTORS)))
@pytest.mark.slow
def test_the_whole_matrix_of_statuses_and_actors(
    source: PaymentStatus, actor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for target, changes in VERB_TO.items():
        end = clock.now() + timedelta(days=5) if target == "grace_period" else None
        # What the invoices would say to staff who hand back.
        standing = PaymentStanding(PaymentStatus(target), end)
        monkeypatch.setattr(payment_configs, "read_standing", lambda config, standing=standing: standing)
        reached = False
        for change in changes:
            organization_id = make_config(source)
            if attempt(ACTORS[actor](), organization_id, change):
                config = OrganizationPaymentConfig.objects.get(organization=organization_id)
                assert config.payment_status == target
                assert (config.grace_period_end_at is None) is (target != "grace_period")
                reached = True
        assert reached is (actor in SPEC_TABLE.get((source.value, target), set())), (source, target, actor)


@pytest.mark.parametrize(("source", "verb"), list(itertools.product(PaymentStatus, PAYMENT_TRANSITIONS)))
def test_the_whole_matrix_of_statuses_and_verbs(source: PaymentStatus, verb: str) -> None:
    changes: list[PaymentConfigChange] = [
        MarkOkay(),
        StartGrace(clock.now()),
        ExtendGrace(clock.now() + timedelta(days=90)),
        ReanchorGrace(clock.now() - timedelta(days=1)),
        EndGrace(),
        Lock(),
        Unlock(),
        SetManual(),
        LeaveManual(),
        SetSubscriptionStatus(SubscriptionStatus.SUBSCRIBED),
        SetUsageOverride(UsageCategoryOverride.FREE),
        SetGraceDays(30),
        SetProviderCustomer(Provider.STRIPE, "cus_1"),
    ]
    assert {change.verb for change in changes} == set(PAYMENT_TRANSITIONS)
    change = next(change for change in changes if change.verb == verb)
    context = provider_context() if verb in {"mark_okay", "reanchor_grace"} else staff_context()
    is_evidence = verb == "mark_okay" and source is PaymentStatus.MANUAL
    applied = attempt(context, make_config(source), change)
    assert applied is (source in PAYMENT_TRANSITIONS[verb].sources and not is_evidence)


def test_a_conflict_names_the_current_status_and_the_expected_one() -> None:
    with pytest.raises(ConflictError, match=r"is okay; End grace period expects grace_period") as refusal:
        end_grace_period(staff_context(), organization_id=make_config(PaymentStatus.OKAY), reason=REASON)
    assert refusal.value.problem_code == "state_conflict"


def test_end_grace_period() -> None:
    with pytest.raises(NotFoundError):
        end_grace_period(console_context(), organization_id=OrganizationId(uuid.uuid4()))
    organization_id = make_config(PaymentStatus.GRACE_PERIOD)
    context = product_context(make_product(), scopes=frozenset({Scope.PAYMENTS_WRITE}))
    assert end_grace_period(context, organization_id=organization_id).payment_status == "disabled"
    with pytest.raises(ConflictError):
        end_grace_period(context, organization_id=organization_id)


def test_while_manual_a_providers_news_is_evidence_and_changes_nothing() -> None:
    organization_id = make_config(PaymentStatus.MANUAL)
    before = everything(organization_id)
    for change in (MarkOkay(), StartGrace(clock.now()), Lock()):
        outcome = payment_config_change(
            provider_context(), organization_id=organization_id, change=change, news=news("open", "in_1")
        )
        assert not outcome.is_applied
    assert everything(organization_id) == before
    assert ProviderEvidence.objects.filter(organization=organization_id, subject="payment_config").count() == 3


def test_grace_starts_at_the_events_own_time_and_lasts_14_days_or_as_overridden() -> None:
    failed_at = clock.now() - timedelta(days=2)
    for days, length in ((None, 14), (30, 30)):
        organization_id = make_config()
        if days:
            payment_config_change(console_context(), organization_id=organization_id, change=SetGraceDays(days))
        payment_config_change(provider_context(), organization_id=organization_id, change=StartGrace(failed_at))
        config = OrganizationPaymentConfig.objects.get(organization=organization_id)
        assert config.grace_period_end_at == failed_at + timedelta(days=length)


def test_who_hears_late_of_a_failure_has_three_days_from_then() -> None:
    now = clock.now()
    for told_at, least in ((None, 3), (now - timedelta(days=2), 1), (now - timedelta(days=9), -1)):
        organization_id = make_config()
        change = StartGrace(now - timedelta(days=15), told_at=told_at)
        payment_config_change(provider_context(), organization_id=organization_id, change=change)
        end = OrganizationPaymentConfig.objects.get(organization=organization_id).grace_period_end_at
        assert end is not None
        assert abs(end - now - timedelta(days=least)) < timedelta(minutes=1)


def test_a_grace_period_is_only_made_longer() -> None:
    organization_id = make_config(PaymentStatus.GRACE_PERIOD)
    end = OrganizationPaymentConfig.objects.get(organization=organization_id).grace_period_end_at
    assert end is not None
    assert not attempt(staff_context(), organization_id, ExtendGrace(end))
    assert attempt(staff_context(), organization_id, ExtendGrace(end + timedelta(days=1)))


def test_a_subscription_status_told_again_changes_nothing() -> None:
    organization_id, subscribed = make_config(), SetSubscriptionStatus(SubscriptionStatus.SUBSCRIBED)
    unsubscribed = SetSubscriptionStatus(SubscriptionStatus.UNSUBSCRIBED)
    assert not attempt(provider_context(), organization_id, unsubscribed)  # only from subscribed
    assert attempt(provider_context(), organization_id, subscribed)
    assert not attempt(provider_context(), organization_id, subscribed)
    assert attempt(provider_context(), organization_id, unsubscribed)


def test_a_subscription_status_told_again_may_speak_of_others_but_not_against_staff() -> None:
    status, named, whole = SubscriptionStatus.SUBSCRIBED, SubscriptionScope.WORKSPACES, SubscriptionScope.ORGANIZATION
    organization_id = make_config()
    assert attempt(provider_context(), organization_id, SetSubscriptionStatus(status, named))
    assert attempt(provider_context(), organization_id, SetSubscriptionStatus(status, whole))
    assert not attempt(provider_context(), organization_id, SetSubscriptionStatus(status, whole))
    assert not attempt(staff_context(), organization_id, SetSubscriptionStatus(status))
    assert attempt(staff_context(), organization_id, SetSubscriptionStatus(SubscriptionStatus.UNSUBSCRIBED))
    assert attempt(staff_context(), organization_id, SetSubscriptionStatus(status))
    assert not attempt(provider_context(), organization_id, SetSubscriptionStatus(status, named))


def test_a_customer_stands_for_one_organization_and_odd_values_are_refused() -> None:
    first, second, customer = make_config(), make_config(), SetProviderCustomer(Provider.ORB, "cust_1")
    assert attempt(provider_context(Provider.ORB), first, customer)
    for change in (customer, SetProviderCustomer(Provider.ORB, ""), SetGraceDays(0), SetGraceDays(400)):
        assert not attempt(staff_context(), second, change)


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OWNER, Role.STAFF_READER])
def test_who_may_not_changes_nothing(role: Role) -> None:
    for change in (Lock(), SetManual(), SetUsageOverride(UsageCategoryOverride.INTERNAL)):
        assert not attempt(staff_context(role), make_config(), change)


def test_a_stale_version_and_a_missing_reason_are_refused() -> None:
    organization_id = make_config(PaymentStatus.OKAY)
    before = everything(organization_id)
    for reason, version in (("", None), (REASON, 1)):
        with pytest.raises(CountinghouseError):
            payment_config_change(
                staff_context(), organization_id=organization_id, change=Lock(), reason=reason, expected_version=version
            )
    assert everything(organization_id) == before
