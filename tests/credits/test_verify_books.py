"""The nightly look at the books is loud about a fault, with a result that people see."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from apps.core.audit.witness import EVENT
from apps.core.enums import Role
from apps.core.errors import ForbiddenError
from apps.core.ids import JobRunId, OrganizationId
from apps.core.jobs import job_run_request
from apps.core.jobs.runs import job_run_execute
from apps.core.models import JobRun
from apps.credits.services.books import BooksAtFaultError, books_verify
from tests.contexts import console_context, staff_context
from tests.core.tampering import grow, tamper
from tests.credits.cast import make_place

pytestmark = pytest.mark.django_db

LENGTH = 12


@pytest.fixture
def chain() -> OrganizationId:
    found = OrganizationId(uuid.uuid4())
    grow(found, LENGTH)
    grow(None, 3)
    return found


@pytest.fixture
def run() -> Callable[[], JobRun]:
    def execute() -> JobRun:
        asked = job_run_request(console_context(), name="verify-books")
        done = job_run_execute(JobRunId(asked.pk))
        assert done is not None
        return done

    return execute


def test_sound_books_succeed_with_counts(chain: OrganizationId, run: Callable[[], JobRun]) -> None:
    make_place()
    done = run()
    assert (done.status, done.error) == ("succeeded", "")
    assert done.counts["accounts"] >= 1
    assert done.counts["audit_entries"] >= LENGTH + 3


FAULTS = {
    "ledger_fault": "UPDATE credits_creditaccount SET balance = balance + 1",
    "audit_chain_broken": "DELETE FROM core_auditentry WHERE sequence = 2",
}


@pytest.mark.parametrize("event", FAULTS)
def test_a_fault_fails_the_run_and_is_an_error_in_the_log(
    chain: OrganizationId, run: Callable[[], JobRun], event: str
) -> None:
    make_place(whole_credits=5)
    assert tamper(FAULTS[event]) >= 1
    with capture_logs() as logs:
        done = run()
    assert done.status == "failed"
    assert "BooksAtFaultError" in done.error
    assert {line["log_level"] for line in logs if line["event"] == event} == {"error"}
    witnessed = [head for line in logs if line["event"] == EVENT for head in line["heads"]]
    assert (str(chain) in {owner for owner, _, _ in witnessed}) == (event == "ledger_fault")  # a broken chain has none


def test_faults_without_end_fill_no_memory(chain: OrganizationId) -> None:
    for _ in range(3):
        make_place(whole_credits=5)
    tamper("UPDATE credits_creditaccount SET balance = balance + 1, held = held + 1")
    with capture_logs() as logs, pytest.raises(BooksAtFaultError, match="faults of the ledger"):
        books_verify(console_context())
    assert 1 <= len([line for line in logs if line["event"] == "ledger_fault"]) <= 20


def test_one_organization_alone_is_no_witness(chain: OrganizationId) -> None:
    with capture_logs() as logs:
        counts = books_verify(console_context(), organization_id=chain)
    assert counts["audit_entries"] == LENGTH
    assert [line for line in logs if line["event"] == EVENT] == []


def test_who_may_not_is_refused_and_nothing_is_witnessed(chain: OrganizationId) -> None:
    with capture_logs() as logs, pytest.raises(ForbiddenError):
        books_verify(staff_context(Role.SUPPORT))
    assert logs == []
