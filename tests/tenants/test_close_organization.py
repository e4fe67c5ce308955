"""Closing and reopening an organization: what refuses it, what follows, and that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from django.db import DatabaseError, transaction

from apps.core.amounts import MICRO
from apps.core.enums import LifecycleState, Role
from apps.core.errors import ConflictError, CountinghouseError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.models import AuditEntry
from apps.credits.services import credits_authorize
from apps.reporting.models import ReportSchedule
from apps.reporting.services.schedules import schedules_prepare
from apps.subscriptions.history import facts_as_of
from apps.subscriptions.rules.lifecycle import resolve
from apps.subscriptions.selectors.lifecycle import workspace_lifecycle
from apps.tenants import closing
from apps.tenants.models import Organization
from apps.tenants.services import organization_close, organization_reopen
from tests.backoffice.records import make_invoice
from tests.contexts import product_context, staff_context
from tests.core.threads import at_once
from tests.credits.cast import consumption, make_place
from tests.factories.tenants import make_organization, make_product, make_workspace

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
Service = Callable[..., Organization]
WHY = "They left; ticket 4711."


def ids(organization: Organization) -> OrganizationId:
    return OrganizationId(organization.pk)


def close(organization: Organization, *, is_forced: bool = False) -> Organization:
    return organization_close(staff_context(), organization_id=ids(organization), reason=WHY, is_forced=is_forced)


def reopen(organization: Organization) -> Organization:
    return organization_reopen(staff_context(), organization_id=ids(organization), reason="They came back.")


def entries() -> list[tuple[str, str]]:
    return list(
        AuditEntry.objects.filter(event__in=["organization.closed", "organization.reopened"])
        .order_by("sequence", "recorded_at")
        .values_list("event", "reason")
    )


def refused(error: type[CountinghouseError], call: Callable[[], object]) -> CountinghouseError:
    """The refusal, which has changed nothing."""
    before = (list(Organization.objects.order_by("pk").values()), AuditEntry.objects.count())
    with pytest.raises(error) as raised:
        call()
    assert (list(Organization.objects.order_by("pk").values()), AuditEntry.objects.count()) == before
    return raised.value


def test_a_closed_organization_is_reopened_as_it_was() -> None:
    with time_machine.travel(NOON, tick=False):
        organization = make_organization()
        workspace = WorkspaceId(make_workspace(organization).pk)
        before = workspace_lifecycle(workspace)
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        close(organization)
        assert workspace_lifecycle(workspace).state is LifecycleState.CLOSED
    with time_machine.travel(NOON + timedelta(days=91) - timedelta(seconds=1), tick=False):
        assert reopen(organization).closed_at is None
        assert workspace_lifecycle(workspace) == before
        states = [resolve(facts_as_of(workspace, NOON + timedelta(days=day))).state.value for day in (0, 2, 90, 91)]
    assert states == ["pre_subscription", "closed", "closed", "pre_subscription"]
    assert entries() == [("organization.closed", WHY), ("organization.reopened", "They came back.")]


def test_nothing_is_reopened_after_90_days_or_twice() -> None:
    with time_machine.travel(NOON, tick=False) as traveller:
        organization = make_organization()
        assert refused(ConflictError, lambda: reopen(organization)).problem_code == "state_conflict"
        close(organization)
        assert refused(ConflictError, lambda: close(organization)).problem_code == "organization_closed"
        traveller.move_to(NOON + timedelta(days=90))
        assert refused(ConflictError, lambda: reopen(organization)).problem_code == "reopening_expired"
    assert len(entries()) == 1


def test_open_invoices_and_holds_refuse_a_close_unless_it_is_forced() -> None:
    place = make_place(whole_credits=10)
    invoice = make_invoice(place.organization, number="CH-1", currency="EUR")
    question = consumption(place, operation="unit", quantity=3 * MICRO).question
    credits_authorize(place.context, question=question, hold_ttl=timedelta(hours=1), key="h")
    refusal = refused(ConflictError, lambda: close(place.organization))
    assert refusal.problem_code == "closing_blocked"
    assert [(reason.rule, reason.record) for reason in refusal.explanation] == [
        ("open_invoice", f"invoice:{invoice.external_id}"),
        ("open_holds", f"credit_account:{place.organization.pk}"),
    ]
    assert "CH-1" in refusal.detail
    assert "1 hold of 3 credits" in refusal.detail
    close(place.organization, is_forced=True)
    kept = AuditEntry.objects.get(event="organization.closed").after["open"]
    assert [reason.fact for reason in refusal.explanation] == kept


@pytest.mark.parametrize("values", [{"amount_remaining_minor": 0}, {"status": "paid"}, {"status": "void"}])
def test_an_invoice_that_asks_for_nothing_refuses_nothing(values: dict[str, object]) -> None:
    organization = make_organization()
    make_invoice(organization, **values)
    assert close(organization).closed_at is not None


@pytest.mark.parametrize("field", ["is_demo", "is_synthetic"])
def test_samples_are_neither_closed_by_force_nor_reopened(field: str) -> None:
    organization = make_organization(is_demo=field == "is_demo")
    if field == "is_synthetic":
        Organization.objects.filter(pk=organization.pk).update(is_synthetic=True)
    refusal = refused(ConflictError, lambda: close(organization, is_forced=True))
    assert (refusal.problem_code, [reason.rule for reason in refusal.explanation]) == ("closing_blocked", ["is_sample"])
    Organization.objects.filter(pk=organization.pk).update(closed_at=NOON)
    assert refused(ConflictError, lambda: reopen(organization)).problem_code == "reopening_expired"


BOTH = pytest.mark.parametrize("service", [organization_close, organization_reopen])


@BOTH
def test_who_may_not_what_is_not_there_and_no_reason(service: Service) -> None:
    organization = make_organization()
    for context in (staff_context(Role.SUPPORT), product_context(make_product("red", organization))):
        refused(ForbiddenError, partial(service, context, organization_id=ids(organization), reason=WHY))
    nobody = OrganizationId(make_workspace(organization).pk)
    refused(NotFoundError, partial(service, staff_context(), organization_id=nobody, reason=WHY))
    blank = partial(service, staff_context(), organization_id=ids(organization), reason="  ")
    assert refused(UnprocessableError, blank).problem_code == "reason_required"


def test_the_database_holds_the_moment_that_the_days_count_from() -> None:
    organization = make_organization()
    close(organization)
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(closed_at=NOON)


def test_a_step_that_fails_undoes_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(context: object, *, organization_id: OrganizationId) -> None:
        raise ConflictError("A step fails.")

    organization = make_organization()
    monkeypatch.setitem(closing._closed, "last", fail)
    refused(ConflictError, lambda: close(organization))


def test_nobody_gets_a_report_for_each_day_in_between() -> None:
    with time_machine.travel(NOON, tick=False) as traveller:
        organization = make_organization()
        schedules_prepare(organization_id=organization.pk)
        close(organization)
        traveller.move_to(NOON + timedelta(days=60))
        reopen(organization)
        schedule = ReportSchedule.objects.get(organization=organization)
    assert schedule.next_day == (NOON + timedelta(days=59)).date()


def test_a_reopening_on_the_same_day_moves_no_report() -> None:
    with time_machine.travel(NOON, tick=False):
        organization = make_organization()
        schedules_prepare(organization_id=organization.pk)
        before = ReportSchedule.objects.filter(organization=organization).values().get()
        close(organization)
        reopen(organization)
        assert ReportSchedule.objects.filter(organization=organization).values().get() == before


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_close_at_once_one_does() -> None:
    organization = make_organization()
    outcomes = at_once(8, lambda number: close(organization))
    codes = [outcome.problem_code for outcome in outcomes if isinstance(outcome, ConflictError)]
    assert codes == ["organization_closed"] * 7
    assert len(entries()) == 1
