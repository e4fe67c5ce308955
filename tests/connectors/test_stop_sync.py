"""The gate of a sync, at its start and again before each page (spec 06, "The gate"); cancelling; a task's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from apps.connectors.contracts import Month, RecordPage
from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.ids import SyncRunId
from apps.connectors.models import Connector, SyncRun
from apps.connectors.services import connector_disable
from apps.connectors.sync import engine
from apps.connectors.sync.engine import sync_run_execute
from apps.connectors.sync.guards import page_delay
from apps.connectors.sync.requests import sync_request, sync_run_cancel
from apps.core import clock
from apps.core.context import Actor, ExecutionContext
from apps.core.enums import ActorKind, AuthorizationSource, MembershipRole, Role, Scope
from apps.core.errors import ConflictError, ForbiddenError
from apps.core.ids import OrganizationId, ServiceTokenId
from apps.tenants.access import page_context
from apps.tenants.models import ProductRelation, ServiceToken, User
from apps.tenants.services import service_token_revoke
from tests.connectors.cast import id_of, make_active_workspace, make_connector
from tests.connectors.upstream import Upstream, UpstreamProvider, opened_on, stored
from tests.contexts import console_context, product_context, staff_context
from tests.factories.tenants import make_cron_token, make_membership, make_product, make_token, make_user

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
    return carried_out(run, state, lambda: change(connector, user))


def carried_out(run: SyncRun, state: Upstream, change: Callable[[], None]) -> SyncRun:
    """The run, with a change after its first page was handed over."""

    class Changing(UpstreamProvider):
        def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
            page = super().fetch_month(month, cursor)
            if cursor is None:
                change()
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
    monkeypatch.setattr(engine, "check_run", lambda run: None)
    assert stopped_after_a_page(connector, state, demote).status == SyncStatus.SUCCEEDED


def cron_context(token: ServiceToken) -> ExecutionContext:
    return replace(
        console_context(),
        actor=Actor(ActorKind.SCHEDULER, str(token.pk), "cron:test"),
        authorization_source=AuthorizationSource.CRON_TOKEN,
        scopes=frozenset(Scope(scope) for scope in token.scopes),
        token_id=ServiceTokenId(token.pk),
    )


def by_product(connector: Connector) -> ExecutionContext:
    product = make_product("red", connector.workspace.organization)
    make_token(product)
    token = ServiceToken.objects.get(product=product)
    context = product_context(product, OrganizationId(connector.workspace.organization_id))
    return replace(context, token_id=ServiceTokenId(token.pk))


def by_cron(connector: Connector) -> ExecutionContext:
    make_cron_token()
    return cron_context(ServiceToken.objects.get(kind="cron"))


def nothing(connector: Connector) -> None:
    return


def revoke(connector: Connector) -> None:
    for token in ServiceToken.objects.filter(revoked_at=None):
        service_token_revoke(console_context(), token_id=ServiceTokenId(token.pk), reason="it leaked")


def let_it_expire(connector: Connector) -> None:
    ServiceToken.objects.update(expires_at=clock.now())


def take_the_scope(connector: Connector) -> None:
    ServiceToken.objects.update(scopes=[Scope.USAGE_READ])


def end_the_relation(connector: Connector) -> None:
    ProductRelation.objects.filter(organization=connector.workspace.organization).delete()


OF_TOKENS = [
    *((caller, change) for caller in (by_product, by_cron) for change in (revoke, let_it_expire, take_the_scope)),
    (by_product, end_the_relation),
]


@pytest.mark.parametrize(("caller", "change"), OF_TOKENS, ids=lambda part: part.__name__)
def test_a_token_that_permits_it_no_more_stops_the_run_before_the_next_page(
    connector: Connector,
    state: Upstream,
    caller: Callable[[Connector], ExecutionContext],
    change: Callable[[Connector], None],
) -> None:
    run = asked(connector, caller(connector))
    stopped = carried_out(run, state, lambda: change(connector))
    assert (stopped.status, stopped.error_code) == (SyncStatus.CANCELLED, "not_allowed")
    assert len(stored(connector.pk, MONTH)) == 10


def revoke_the_first_of_two(connector: Connector) -> None:
    (first,) = ServiceToken.objects.filter(revoked_at=None)
    (make_cron_token() if first.product is None else make_token(first.product))
    service_token_revoke(console_context(), token_id=ServiceTokenId(first.pk), reason="it leaked")


@pytest.mark.parametrize("caller", [by_product, by_cron], ids=lambda part: part.__name__)
def test_another_live_token_does_not_stand_in_for_the_one_that_asked(
    connector: Connector, state: Upstream, caller: Callable[[Connector], ExecutionContext]
) -> None:
    run = asked(connector, caller(connector))
    stopped = carried_out(run, state, lambda: revoke_the_first_of_two(connector))
    assert ServiceToken.objects.filter(revoked_at=None).count() == 1
    assert (stopped.status, stopped.error_code) == (SyncStatus.CANCELLED, "not_allowed")
    assert len(stored(connector.pk, MONTH)) == 10


@pytest.mark.parametrize("caller", [by_product, by_cron], ids=lambda part: part.__name__)
def test_a_live_token_reads_to_the_end(
    connector: Connector, state: Upstream, caller: Callable[[Connector], ExecutionContext]
) -> None:
    run = carried_out(asked(connector, caller(connector)), state, lambda: nothing(connector))
    assert (run.status, run.fetched) == (SyncStatus.SUCCEEDED, 25)


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


def test_the_button_cancels_as_the_service_does(connector: Connector) -> None:
    user, context = admin_of(connector)
    viewer = make_user()
    make_membership(connector.workspace.organization, viewer, MembershipRole.VIEWER)
    run, others = asked(connector, context), asked(make_connector(connector.workspace), context)
    slug, browser = connector.workspace.slug, Client()
    cancel_it = reverse("billing-connector-cancel", args=[slug, connector.pk])
    browser.force_login(viewer)
    assert "/cancel/" not in browser.get(reverse("billing-connector", args=[slug, connector.pk])).content.decode()
    assert browser.post(cancel_it, {"run": run.pk}).status_code == 403
    browser.force_login(user)
    assert "/cancel/" in browser.get(reverse("billing-connector", args=[slug, connector.pk])).content.decode()
    assert browser.post(cancel_it, {"run": others.pk}).status_code == 302
    assert browser.post(cancel_it, {"run": "none"}).status_code == 302
    assert set(SyncRun.objects.values_list("status", flat=True)) == {SyncStatus.QUEUED}
    assert "was cancelled" in browser.post(cancel_it, {"run": run.pk}, follow=True).content.decode()
    run.refresh_from_db()
    others.refresh_from_db()
    assert (run.status, others.status) == (SyncStatus.CANCELLED, SyncStatus.QUEUED)
    assert connector.timeline.latest("pk").kind == "sync_cancelled"
