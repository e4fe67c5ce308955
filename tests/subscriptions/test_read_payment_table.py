"""What the table of payment statuses says of each of them (spec 04, OrganizationPaymentConfig). Pure."""

from __future__ import annotations

import itertools

import pytest

from apps.core.enums import ActorKind
from apps.subscriptions.enums import PaymentStatus, SubscriptionScope
from apps.subscriptions.rules.payment_transitions import (
    PAYMENT_TRANSITIONS,
    hands_back,
    is_handed_back_from,
    is_legal,
    legal_verbs,
    speaks_of_named_workspaces,
    verb_between,
    was_handed_back,
)

# The verbs of each status beside those of every status, in the order of the pages.
VERBS = {
    "uninitialized": "mark_okay start_grace lock set_manual",
    "okay": "start_grace lock set_manual",
    "grace_period": "mark_okay extend_grace reanchor_grace end_grace lock set_manual",
    "disabled": "mark_okay lock set_manual",
    "locked": "unlock set_manual",
    "manual": "lock leave_manual",
}
ALWAYS = "set_subscription_status set_usage_override set_grace_days set_provider_customer"


@pytest.mark.parametrize("status", PaymentStatus)
def test_the_verbs_of_each_status(status: PaymentStatus) -> None:
    legal = [row.verb for row in legal_verbs(status)]
    assert legal == f"{VERBS[status.value]} {ALWAYS}".split()
    assert legal == [verb for verb in PAYMENT_TRANSITIONS if is_legal(verb, status)]


def test_staff_alone_lead_on_from_where_staff_decide() -> None:
    assert {verb for verb in PAYMENT_TRANSITIONS if hands_back(verb)} == {"unlock", "leave_manual"}
    assert {status.value for status in PaymentStatus if is_handed_back_from(status)} == {"locked", "manual"}
    for before, after in itertools.product(PaymentStatus, repeat=2):
        assert was_handed_back(before, after) == (before != after and before.value in {"locked", "manual"})


@pytest.mark.parametrize(
    ("source", "target", "who", "verb"),
    [
        ("uninitialized", "okay", ActorKind.PROVIDER, "mark_okay"),
        ("uninitialized", "okay", ActorKind.USER, None),
        ("okay", "grace_period", ActorKind.USER, "start_grace"),
        ("grace_period", "grace_period", ActorKind.USER, None),
        ("grace_period", "disabled", ActorKind.SCHEDULER, "end_grace"),
        ("locked", "okay", ActorKind.CONSOLE, "unlock"),
        ("locked", "okay", ActorKind.PROVIDER, None),
        ("manual", "disabled", ActorKind.USER, "leave_manual"),
        ("manual", "locked", ActorKind.USER, "lock"),
        ("okay", "uninitialized", ActorKind.USER, None),
    ],
)
def test_by_which_verb_an_actor_leads_from_one_status_to_another(
    source: str, target: str, who: ActorKind, verb: str | None
) -> None:
    assert verb_between(PaymentStatus(source), PaymentStatus(target), who) == verb


def test_one_scope_says_nothing_of_workspaces_that_no_subscription_names() -> None:
    told = [scope for scope in (*SubscriptionScope, None) if speaks_of_named_workspaces(scope)]
    assert told == [SubscriptionScope.WORKSPACES]
