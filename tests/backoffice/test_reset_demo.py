"""The demo organization: filled by the sample data, and made anew every night under the same slugs."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from apps.backoffice.jobs import reset_demo
from apps.backoffice.seeding import demo as seeding
from apps.backoffice.seeding.data import DEMO
from apps.backoffice.seeding.demo import current_demo, ensure_demo
from apps.connectors.models import BillingRecord, Connector
from apps.core import clock
from apps.core.audit import verify_audit
from apps.core.context import ExecutionContext
from apps.core.ids import JobRunId, OrganizationId
from apps.core.jobs import job_run_request
from apps.core.jobs.runs import job_run_execute
from apps.core.models import AuditEntry, OutboxItem
from apps.core.states import JobRunStatus, OutboxStatus
from apps.credits.models import CreditAccount, CreditEntry
from apps.reporting.models import DailyReport
from apps.reporting.rules.document import read_document
from apps.tenants.access import task_context
from apps.tenants.models import Membership, Organization, Workspace
from apps.tenants.services import organization_replace
from tests.contexts import console_context
from tests.credits.cast import assert_sound
from tests.factories.tenants import make_organization, make_signing_in_user
from tests.sizes import size

pytestmark = pytest.mark.django_db(transaction=True)

NIGHTS = size(small=2, full=5)


def run(*, organization_id: uuid.UUID | None = None, include_demo: bool = False) -> Any:
    """The job as a worker runs it."""
    asked = job_run_request(
        console_context(),
        name="reset-demo",
        organization_id=OrganizationId(organization_id) if organization_id else None,
        include_demo=include_demo,
    )
    done = job_run_execute(JobRunId(asked.pk))
    asked.refresh_from_db()
    return done or asked


def as_scheduler() -> ExecutionContext:
    return task_context("reset-demo", request_id=console_context().request_id)


def content(demo: Organization) -> dict[str, int]:
    """How much of each kind the demo has."""
    return {
        "workspaces": Workspace.objects.filter(organization=demo).count(),
        "members": Membership.objects.filter(organization=demo).count(),
        "entries": CreditEntry.objects.filter(account_id=demo.pk).count(),
        "connectors": Connector.objects.filter(workspace__organization=demo).count(),
        "records": BillingRecord.objects.filter(connector__workspace__organization=demo).count(),
    }


def sees_one_demo(client: Client) -> bool:
    """Whether the demo's address opens, and the list of workspaces has it once and no closed one."""
    opens = client.get(reverse("billing-credits", args=["demo"])).status_code == 200
    home = client.get(reverse("billing-home")).content.decode()
    return opens and home.count(reverse("billing-workspace", args=["demo"])) == 1 and "closed" not in home


def late_reports_named() -> Any:
    """What the platform's newest report says of reports that were not made yet."""
    document = read_document(DailyReport.objects.filter(organization=None).latest("day").document)
    groups = (group for section in document.sections for group in section.groups if group.key == "late_jobs")
    return next(line.value for group in groups for line in group.lines if line.key == "reports")


@pytest.mark.slow
def test_the_sample_data_fill_the_demo_and_a_night_makes_it_anew(client: Client) -> None:
    """Anybody who is signed in sees the new one under the old address."""
    call_command("seed_demo")
    client.force_login(make_signing_in_user())
    assert sees_one_demo(client)
    first = Organization.objects.get(slug=DEMO.slug)
    filled = content(first)
    assert (filled["workspaces"], filled["members"], filled["connectors"], late_reports_named()) == (1, 4, 3, 0)
    assert filled["entries"] > 20
    assert filled["records"] > 0
    assert CreditAccount.objects.get(pk=first.pk).balance > 0

    done = run()
    assert (done.status, done.counts) == (JobRunStatus.SUCCEEDED, {"closed": 1, "made": 1}), done.error
    second = Organization.objects.get(slug=DEMO.slug)
    assert (second.pk == first.pk, second.is_demo, second.closed_at) == (False, True, None)
    assert Workspace.objects.get(slug="demo").organization == second
    assert content(second) == filled
    first.refresh_from_db()
    assert first.closed_at is not None
    assert first.slug == f"demo-closed-{first.pk.hex[:8]}"
    # What there was stays with the closed one.
    assert content(first) == filled
    closed = AuditEntry.objects.get(event="organization.closed")
    assert (closed.actor_label, closed.organization_id) == ("scheduler:reset-demo", first.pk)
    assert all(report.is_sound for report in verify_audit())
    assert_sound()
    # Nothing leaves the building for either.
    sent = OutboxItem.objects.filter(organization_id__in=[first.pk, second.pk])
    assert {item.status for item in sent} == {OutboxStatus.SUPPRESSED}
    assert sees_one_demo(client)

    call_command("seed_demo")
    assert Organization.objects.get(slug=DEMO.slug) == second
    assert content(second) == filled


@pytest.mark.slow
def test_the_same_slot_again_makes_no_second_demo_and_carries_on_where_it_broke_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ensure_demo(console_context())
    slot = clock.now()

    def die(*arguments: object) -> None:
        raise ConnectionError("the worker died")

    with monkeypatch.context() as patched:
        patched.setattr(seeding, "seed_demo_connectors", die)
        with pytest.raises(ConnectionError):
            reset_demo(as_scheduler(), slot=slot, organization_id=None, include_demo=False)
    begun = current_demo()
    assert begun is not None
    assert content(begun)["connectors"] == 0
    for _ in range(2):
        counts = reset_demo(as_scheduler(), slot=slot, organization_id=None, include_demo=False)
        assert counts == {"closed": 0, "made": 0}
    assert current_demo() == begun
    assert content(begun)["connectors"] == 3
    later = reset_demo(as_scheduler(), slot=clock.now(), organization_id=None, include_demo=False)
    assert later == {"closed": 1, "made": 1}


@pytest.mark.slow
def test_an_installation_without_a_demo_stays_without_one_unless_it_is_asked_for() -> None:
    assert run().counts == {"closed": 0, "made": 0}
    assert Organization.objects.count() == 0
    assert run(include_demo=True).counts == {"closed": 0, "made": 1}
    demo = current_demo()
    assert demo is not None
    # No sample product is there: everything that needs none is.
    assert (content(demo)["connectors"], content(demo)["entries"]) == (3, 2)


def test_a_run_for_another_organization_or_for_the_demo_without_asking_for_it_resets_nothing() -> None:
    demo = ensure_demo(console_context())
    other = make_organization()
    assert run(organization_id=other.pk).counts == {"closed": 0, "made": 0}
    skipped = run(organization_id=demo.pk)
    assert skipped.status == JobRunStatus.SKIPPED
    assert (current_demo(), Organization.objects.get(pk=other.pk).closed_at) == (demo, None)


def test_what_is_replaced_twice_keeps_the_slug_of_the_first_time() -> None:
    organization = make_organization("Northwind", is_demo=True)
    ids = {"organization_id": OrganizationId(organization.pk), "reason": "a new one comes"}
    first = organization_replace(console_context(), **ids)  # type: ignore[arg-type]
    again = organization_replace(console_context(), **ids)  # type: ignore[arg-type]
    assert (first.closed_at, first.slug) == (again.closed_at, again.slug)
    assert first.slug.startswith(f"{organization.slug}-closed-")
    assert AuditEntry.objects.filter(event="organization.closed").count() == 1


@pytest.mark.prove("the demo is made anew night after night", size=NIGHTS)
def test_the_night_comes_again_and_again() -> None:
    ensure_demo(console_context())
    for night in range(NIGHTS):
        counts = reset_demo(
            as_scheduler(), slot=clock.now() + timedelta(seconds=night + 1), organization_id=None, include_demo=False
        )
        assert counts == {"closed": 1, "made": 1}
    assert Organization.objects.filter(is_demo=True, closed_at=None).count() == 1
    assert Organization.objects.filter(slug__startswith="demo-closed-").count() == NIGHTS
