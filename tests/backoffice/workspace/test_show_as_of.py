"""The page as of a moment is what history says of that moment; a moment that can't be shown is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from apps.core import clock
from apps.core.enums import LifecycleState, Role
from apps.core.errors import CountinghouseError
from apps.core.models import AuditEntry
from apps.subscriptions.history import facts_as_of, subscription_as_of
from apps.subscriptions.ids import PlanId
from apps.subscriptions.messages import ALLOWANCE_WORDS, NEED_WORDS, STATE_WORDS
from apps.subscriptions.rules.lifecycle import resolve
from tests.backoffice.people import client_of
from tests.backoffice.workspace.dialogs import url_of
from tests.sizes import size
from tests.subscriptions.cast import chance_of, make_place, make_plan
from tests.subscriptions.mutations import random_mutation

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return client_of(Role.SUPPORT)


def test_the_page_as_of_each_change_equals_the_history(client: Client) -> None:
    place, plan = make_place(), make_plan()
    chance = chance_of(7)
    for _ in range(size(small=25, full=200)):
        mutation = random_mutation(chance, place, PlanId(plan.pk))
        try:
            with transaction.atomic():
                mutation.run()
        except CountinghouseError:
            continue
    moments = AuditEntry.objects.filter(organization_id=place.organization_id).order_by("sequence")
    states: set[LifecycleState] = set()
    first = moments.get(event="workspace.created").recorded_at
    for moment in [moment for moment in moments.values_list("recorded_at", flat=True) if moment > first]:
        answer = client.get(url_of(place.workspace_id), {"at": moment.isoformat()})
        subject = answer.context["subject"]
        decision = resolve(facts_as_of(place.workspace_id, moment))
        assert subject.decision == decision
        assert subject.past == subscription_as_of(place.workspace_id, moment)
        body = " ".join(answer.content.decode().split())
        assert f'<p class="ch-lifecycle-label">{STATE_WORDS[decision.state].label}</p>' in body
        for need, label in NEED_WORDS.items():
            assert f"<span>{label}</span> <b>{ALLOWANCE_WORDS[decision.allowance(need)]}</b>" in body
        states.add(decision.state)
    assert len(states) >= 3


def test_what_happened_later_is_not_on_the_page(client: Client) -> None:
    place = make_place()
    client.get(url_of(place.workspace_id))
    entry = AuditEntry.objects.get(event="workspace.created", target_id=str(place.workspace_id))
    make_plan()
    at = clock.now().isoformat()
    body = client.get(url_of(place.workspace_id), {"at": at}).content.decode()
    assert "Members" not in body.split("ch-sections")[1]
    assert "Timeline until then" in body
    assert str(entry.pk) in body


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("2150-01-01T10:00", "in the future"),
        ("2999-01-01T10:00", "not a date and time"),
        ("2001-01-01T10:00", "This workspace did not exist then. It was created on"),
        ("yesterday", "not a date and time"),
        ("2026-13-40T99:99", "not a date and time"),
        ("0001-01-01T00:00+14:00", "not a date and time"),
    ],
)
def test_a_moment_that_can_not_be_shown_is_told(client: Client, asked: str, told: str) -> None:
    place = make_place()
    answer = client.get(url_of(place.workspace_id), {"at": asked})
    assert answer.status_code == 200
    assert answer.context["subject"].as_of is None
    body = answer.content.decode()
    assert told in body
    # The present under the date of then would be read as the answer.
    assert not answer.context["sections"]
    assert "ch-lifecycle-label" not in body
    assert "Back to now" in body
    asked_why = client.get(url_of(place.workspace_id, "why"), {"at": asked, "user": "ann@example.com"})
    assert told in asked_why.content.decode()
    assert asked_why.context["answered"] is None


def test_a_moment_just_now_is_the_present(client: Client) -> None:
    place = make_place()
    now = client.get(url_of(place.workspace_id)).context["subject"].decision
    then = client.get(url_of(place.workspace_id), {"at": (clock.now() - timedelta(0)).isoformat()})
    assert then.context["subject"].decision == now
