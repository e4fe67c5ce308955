"""The overview names the customers that need a person; a task is taken, snoozed or dismissed, and comes back anew."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.duties.found import SOURCES, find_tasks, open_tasks
from apps.backoffice.duties.occurrences import OF_EACH, Task, is_put_away
from apps.backoffice.enums import TaskKind, TaskState
from apps.backoffice.models import TaskDecision
from apps.core import clock
from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.payments.enums import ReviewKind
from apps.payments.models import Review
from apps.subscriptions.enums import PaymentStatus
from apps.subscriptions.models import DecisionReceipt, OrganizationPaymentConfig
from apps.tenants.models import Organization
from tests.backoffice.people import client_of
from tests.factories.tenants import make_organization

NOW, KEY = clock.now(), uuid.uuid4()
ALL = [operation for operation, _ in SOURCES]


def decision(state: TaskState, marker: str = "first", until: datetime | None = None) -> TaskDecision:
    return TaskDecision(kind="review", organization_id=KEY, subject_id=KEY, marker=marker, outcome=state, until=until)


@pytest.mark.parametrize(
    ("made", "is_hidden"),
    [
        (None, False),
        (decision(TaskState.TAKEN), False),
        (decision(TaskState.DISMISSED), True),
        (decision(TaskState.DISMISSED, "another"), False),
        (decision(TaskState.SNOOZED, until=NOW + timedelta(days=1)), True),
        (decision(TaskState.SNOOZED, until=NOW - timedelta(days=1)), False),
        (decision(TaskState.SNOOZED, "another", NOW + timedelta(days=1)), False),
    ],
)
def test_a_decision_counts_for_its_occurrence_and_until_its_moment(made: TaskDecision | None, is_hidden: bool) -> None:
    task = Task(TaskKind.REVIEW, KEY, KEY, "Collection is paused.", "first", "/")
    assert is_put_away(task, made) is is_hidden


def ask_for_review(organization: Organization) -> Review:
    review: Review = Review.objects.create(
        organization=organization, kind=ReviewKind.CHARGED_TWICE, sentence="Two subscriptions pay.", opened_at=NOW
    )
    return review


def decide(client: Client, review: Review, verb: str, **fields: str) -> str:
    url = reverse("admin:decide_task", args=("charged_twice", review.organization_id, review.pk, verb))
    answer = client.post(url, {"step": "apply", "reason": "ticket 4711", **fields}, follow=True)
    return answer.content.decode()


@pytest.mark.django_db
@pytest.mark.slow
def test_a_task_is_taken_snoozed_and_dismissed() -> None:
    organization, client = make_organization(name="Bowline Works"), client_of(Role.SUPPORT)
    review = ask_for_review(organization)
    body = client.get(reverse("admin:index")).content.decode()
    assert "Bowline Works" in body
    assert "Two subscriptions pay." in body
    assert "Taken by" in decide(client, review, "taken")
    assert "Snooze until a moment in the future." in decide(client, review, "snoozed", until="2020-01-01T00:00")
    assert TaskDecision.objects.get().outcome == TaskState.TAKEN
    later = (clock.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    assert "Two subscriptions pay." not in decide(client, review, "snoozed", until=later)
    decide(client, review, "dismissed")
    entries = AuditEntry.objects.filter(event="task.decided", organization_id=organization.pk).order_by("sequence")
    assert [entry.after["outcome"] for entry in entries] == ["taken", "snoozed", "dismissed"]
    assert {entry.reason for entry in entries} == {"ticket 4711"}
    Review.objects.filter(pk=review.pk).update(opened_at=clock.now())
    assert "Two subscriptions pay." in client.get(reverse("admin:index")).content.decode()


@pytest.mark.django_db
def test_a_task_that_is_settled_is_not_found() -> None:
    review = ask_for_review(make_organization())
    review.delete()
    url = reverse("admin:decide_task", args=("charged_twice", review.organization_id, KEY, "taken"))
    assert client_of(Role.SUPPORT).get(url).status_code == 404


@pytest.mark.django_db
def test_each_customer_in_trouble_is_named_once_a_kind() -> None:
    locked, ending, empty = (make_organization(name=name) for name in ("Locked", "Ending", "Empty"))
    configs = OrganizationPaymentConfig.objects
    for organization in (locked, ending):
        configs.filter(organization=organization).update(payment_status=PaymentStatus.OKAY)
    configs.filter(organization=locked).update(payment_status=PaymentStatus.LOCKED)
    configs.filter(organization=ending).update(
        payment_status=PaymentStatus.GRACE_PERIOD, grace_period_end_at=clock.now() + timedelta(days=2)
    )
    for number in range(3):
        DecisionReceipt.objects.create(
            kind="credits",
            decision="deny",
            code="insufficient_credits",
            organization_id=empty.pk,
            actor_label="red",
            question={},
            chain=[],
            records=[],
            request_id=f"r{number}",
            created_at=clock.now(),
        )
    shown = {(each.task.kind, each.customer) for each in open_tasks(find_tasks(ALL))}
    assert shown == {
        (TaskKind.LOCKED, "Locked"),
        (TaskKind.GRACE_ENDS, "Ending"),
        (TaskKind.OUT_OF_CREDITS, "Empty"),
    }
    assert find_tasks(["connectors.read"]) == []


def put_away(task: Task, outcome: TaskState, until: datetime | None = None, marker: str = "") -> None:
    TaskDecision.objects.update_or_create(
        kind=task.kind,
        organization_id=task.organization_id,
        subject_id=task.subject_id,
        defaults={
            "marker": marker or task.marker,
            "outcome": outcome,
            "until": until,
            "reason": "ticket 4711",
            "decided_by": "pat",
            "decided_at": NOW,
        },
    )


@pytest.mark.django_db
@pytest.mark.slow
def test_what_was_put_away_hides_nobody_and_what_is_left_out_is_counted() -> None:
    reviews = [ask_for_review(make_organization()) for _ in range(OF_EACH + 3)]
    for days, review in enumerate(reviews):
        Review.objects.filter(pk=review.pk).update(opened_at=NOW - timedelta(days=days))
    oldest_first = [review.pk for review in reversed(reviews)]
    tasks = find_tasks(["workspaces.read"])
    assert [task.subject_id for task in tasks] == oldest_first[:OF_EACH]
    body = client_of(Role.SUPPORT).get(reverse("admin:index")).content.decode()
    assert "And 3 more" in body
    for task in tasks:
        put_away(task, TaskState.DISMISSED)
    assert [task.subject_id for task in find_tasks(["workspaces.read"])] == oldest_first[OF_EACH:]
    assert "more: <a" not in client_of(Role.SUPPORT).get(reverse("admin:index")).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("microsecond", [0, 1, 120_000])
@pytest.mark.parametrize("kind", [ReviewKind.CHARGED_TWICE, ReviewKind.PAUSED])
def test_the_query_knows_the_same_occurrences(kind: ReviewKind, microsecond: int) -> None:
    organization = make_organization()
    opened_at = NOW.replace(microsecond=microsecond)
    Review.objects.create(organization=organization, kind=kind, sentence="?", opened_at=opened_at)
    [task] = find_tasks(["workspaces.read"])
    assert task.marker == opened_at.isoformat()
    cases = [
        (TaskState.TAKEN, None, "", 1),
        (TaskState.SNOOZED, NOW + timedelta(days=1), "", 0),
        (TaskState.SNOOZED, NOW - timedelta(days=1), "", 1),
        (TaskState.DISMISSED, None, "", 0),
        (TaskState.DISMISSED, None, "another", 1),
    ]
    for outcome, until, marker, left in cases:
        put_away(task, outcome, until, marker)
        assert len(find_tasks(["workspaces.read"])) == left
