"""The gate of a sync, at its start and again before each page (spec 06, "The gate"); cancelling; a task's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.connectors.contracts import Month, RecordPage
from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.ids import SyncRunId
from apps.connectors.models import Connector, SyncRun
from apps.connectors.rules.retries import page_delay
from apps.connectors.services import connector_disable
from apps.connectors.sync import engine
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.requests import sync_request, sync_run_cancel
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole, Role
from apps.core.errors import ConflictError, ForbiddenError
from apps.tenants.access import page_context
from apps.tenants.models import User
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.connectors.upstream import Upstream, UpstreamProvider, opened_on, stored
from tests.contexts import console_context, staff_context
from tests.factories.tenants import make_membership, make_user

MONTH = "2026-03"
NOW = datetime(2026, 4, 20, 9, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _hours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(engine, "page_delay", lambda tries, **_: timedelta(0))
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def connector(db: None) -> Connector:
    return make_connector(make_active_workspace())


@pytest.fixture
def state() -> Upstream:
    upstream = Upstream()
    upstream.fill(MONTH, 25)
    return upstream


def asked(connector: Connector, context: ExecutionContext | None = None, month: str | None = MONTH) -> SyncRun:
    (answer, *_) = sync_request(
        context or console_context(), connector_id=id_of(connector), month=Month.read(month) if month else None
    )
    return answer.run


def synced(connector: Connector, opened: Any, month: str = MONTH) -> SyncRun:
    run = sync_run_execute(SyncRunId(asked(connector, month=month).pk), opened=opened)
    assert run is not None
    return run


def admin_of(connector: Connector) -> tuple[User, ExecutionContext]:
    user = make_user()
    make_membership(connector.workspace.organization, user, MembershipRole.ADMIN)
    return user, page_context(user, workspace_slug=connector.workspace.slug, request_id=console_context().request_id)


def demote(connector: Connector, user: User) -> None:
    make_membership(connector.workspace.organization, user, MembershipRole.VIEWER)


def remove_everywhere(connector: Connector, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def switch_off(connector: Connector, user: User) -> None:
    connector_disable(staff_context(), connector_id=id_of(connector), reason="a person's wish")


def suspend(connector: Connector, user: User) -> None:
    config = connector.workspace.organization.payment_config
    type(config).objects.filter(pk=config.pk).update(payment_status="locked")


def cancel(connector: Connector, user: User) -> None:
    run = SyncRun.objects.get(connector=connector, status=SyncStatus.RUNNING)
    sync_run_cancel(staff_context(), run_id=SyncRunId(run.pk))


STOPS = [
    (demote, "not_allowed"),
    (remove_everywhere, "not_allowed"),
    (switch_off, "connector_not_enabled"),
    (suspend, "lifecycle_denied"),
    (cancel, "cancelled"),
]


def stopped_after_a_page(connector: Connector, state: Upstream, change: Callable[[Connector, User], None]) -> SyncRun:
    """A run that an admin asked for; after its first page was handed over, something changes."""
    user, context = admin_of(connector)
    run = asked(connector, context)

    class Changing(UpstreamProvider):
        def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
            page = super().fetch_month(month, cursor)
            if cursor is None:
                change(connector, user)
            return page

    sync_run_execute(SyncRunId(run.pk), opened=lambda run: Changing(state))
    run.refresh_from_db()
    return run


@pytest.mark.parametrize(("change", "code"), STOPS, ids=lambda part: getattr(part, "__name__", part))
def test_what_changes_in_mid_run_stops_it_before_the_next_page(
    connector: Connector, state: Upstream, change: Callable[[Connector, User], None], code: str
) -> None:
    run = stopped_after_a_page(connector, state, change)
    assert (run.status, run.error_code) == (SyncStatus.CANCELLED, code)
    # A page that was on its way when the run was cancelled is not written.
    assert len(stored(connector.pk, MONTH)) == (0 if code == "cancelled" else 10)


def test_a_gate_asked_at_the_start_alone_is_caught(
    connector: Connector, state: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the question before each page a demoted admin's run reads on."""
    monkeypatch.setattr(engine, "why_not", lambda run: None)
    assert stopped_after_a_page(connector, state, demote).status == SyncStatus.SUCCEEDED


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.MEMBER, Role.VIEWER, Role.STAFF_READER])
def test_who_may_not_is_refused_and_nothing_is_queued(connector: Connector, role: Role) -> None:
    with pytest.raises(ForbiddenError):
        asked(connector, staff_context(role))
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("status", [status for status in ConnectorStatus if status not in {"enabled", "auto_disabled"}])
def test_a_connector_that_is_not_enabled_is_refused(db: None, status: ConnectorStatus) -> None:
    connector = make_connector(make_active_workspace(), status)
    with pytest.raises(ConflictError) as refused:
        asked(connector)
    assert refused.value.problem_code == "connector_not_enabled"


def test_a_run_that_is_over_can_not_be_cancelled(connector: Connector, state: Upstream) -> None:
    run = synced(connector, opened_on(state))
    with pytest.raises(ConflictError):
        sync_run_cancel(staff_context(), run_id=SyncRunId(run.pk))


def test_a_task_whose_time_is_up_hands_the_run_back_at_its_cursor(connector: Connector, state: Upstream) -> None:
    run = sync_run_execute(SyncRunId(asked(connector).pk), opened=opened_on(state), until=clock.now())
    assert run is not None
    assert (run.status, run.pages, run.cursor) == (SyncStatus.QUEUED, 1, "10")
    run = sync_run_execute(SyncRunId(run.pk), opened=opened_on(state))
    assert run is not None
    assert (run.status, run.fetched) == (SyncStatus.SUCCEEDED, 25)


@pytest.mark.parametrize("tries", [1, 2, 5, 40, 10**6])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_the_wait_grows_within_bounds_and_never_undercuts_the_provider(tries: int, jitter: float) -> None:
    delay = page_delay(tries, jitter=jitter)
    assert timedelta(seconds=1) <= delay <= timedelta(minutes=15)
    for wish in (timedelta(seconds=1), timedelta(hours=2), timedelta(days=400)):
        assert page_delay(tries, jitter=jitter, wish=wish) >= min(wish, timedelta(hours=24))
