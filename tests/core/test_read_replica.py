"""Reports and lists of history come from the replica, everything else from the primary (spec 14, Topology)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DEFAULT_DB_ALIAS, InternalError, connection, connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import replica
from apps.core.amounts import MICRO
from apps.core.backlog import backlog_metrics
from apps.core.enums import MembershipRole, Role
from apps.core.models import AuditEntry
from apps.core.postgresql.limits import Work, replica_settings
from apps.core.replica import (
    FALLBACKS,
    OWN_WRITE_COOKIE,
    PRIMARY,
    REPORTS,
    OwnWritesMiddleware,
    Source,
    history_source,
    replica_lag,
)
from apps.credits.models import CreditEntry
from apps.tenants.models import Product
from tests.backoffice.people import client_of
from tests.credits.cast import Place, give, make_place
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_product,
    make_signing_in_user,
    make_token,
    make_workspace,
)
from tests.faults.clusters import Server
from tests.faults.poolers import server_socket_folder
from tests.faults.stacks import wait_until

WITH_REPLICA = pytest.mark.django_db(transaction=True, databases=["default", REPORTS])


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Server]:
    """A streaming replica of the test's own server, and the product's connection to it."""
    server, own = Server("replica"), connection.settings_dict
    url = {"NAME": own["NAME"], "USER": own["USER"], "PASSWORD": "", "HOST": "127.0.0.1", "PORT": str(server.port)}
    try:
        server.copy(f"host={server_socket_folder()} user=postgres")
        server.start()
        forget_connection()  # of another replica, where other tests ran between those of this module
        connections.databases[REPORTS] = {**own, **replica_settings(url, Work.WEB, sends_timeouts=True)}
        yield server
    finally:
        forget_connection()
        connections.databases.pop(REPORTS, None)
        server.clear()


def forget_connection() -> None:
    """The next use makes it anew, from its settings."""
    for known in connections.all(initialized_only=True):
        if known.alias == REPORTS:
            known.close()
            del connections[REPORTS]


@pytest.fixture
def configured(server: Server) -> Iterator[Server]:
    """A replica that has all that the primary has."""
    with connection.cursor() as cursor:
        # As in production: what is committed has been written. The test's server takes its time otherwise.
        cursor.execute("SET synchronous_commit = on")
    wait_until(lambda: server.answers() and replica_lag() == timedelta(0), server.said)
    replica.replica.forget()
    yield server
    forget_connection()


@contextlib.contextmanager
def held_back(server: Server) -> Iterator[None]:
    """The replica replays nothing meanwhile."""
    server.ask("SELECT pg_wal_replay_pause()")
    wait_until(lambda: server.ask("SELECT pg_get_wal_replay_pause_state()") == "paused")
    try:
        yield
    finally:
        server.ask("SELECT pg_wal_replay_resume()")


def asked(method: str = "GET") -> HttpRequest:
    return RequestFactory().generic(method, "/")


def fallbacks(cause: str) -> float:
    return float(FALLBACKS.labels(cause)._value.get())


def listed(client: Client) -> int:
    """How many entries the staff's list shows."""
    answer: Any = client.get(reverse("admin:credits_creditentry_changelist"))
    assert answer.status_code == 200
    return len(answer.context["cl"].result_list)


def staff_list_afresh(client: Client) -> str:
    """The page, for which the replica's lag is asked anew."""
    replica.replica.forget()
    return client.get(reverse("admin:credits_creditentry_changelist")).content.decode()


def in_file(client: Client) -> int:
    """How many entries the file of the audit log has."""
    answer: Any = client.get(reverse("admin:core_auditentry_list_file"))
    return b"".join(answer.streaming_content).count(b"\r\n") - 1


def balance_of(place: Place, token: str) -> str:
    path = f"/api/v1/internal/accounts/organization/{place.organization.pk}/balance"
    answer: Any = Client().get(path, headers={"Authorization": f"Bearer {token}"})
    return str(answer.json()["balance"])


@WITH_REPLICA
@pytest.mark.slow
def test_a_list_is_as_old_as_the_replica_while_balance_and_record_are_new(
    configured: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica, "_TOLD_FROM", timedelta(0))
    place = make_place(whole_credits=5)
    token, client = make_token(place.product), client_of(Role.PLATFORM_ADMIN)
    client.cookies.pop(OWN_WRITE_COOKIE, None)
    wait_until(lambda: replica_lag() == timedelta(0), configured.said)
    with held_back(configured):
        give(place, 2 * MICRO)
        wait_until(lambda: replica_lag() > timedelta(0))
        replica.replica.forget()
        page = client.get(reverse("admin:credits_creditentry_changelist"))
        assert listed(client) == 1
        assert "seconds old: they are read from a copy" in page.content.decode()
        assert in_file(client) == AuditEntry.objects.using(REPORTS).count() < AuditEntry.objects.count()
        newest = CreditEntry.objects.latest("sequence")
        assert client.get(reverse("admin:credits_creditentry_change", args=[newest.pk])).status_code == 200
        assert balance_of(place, token) == "7"
        # Whoever has just changed something sees it, in a browser that the answer to the change has marked.
        changed = client.post(reverse("admin:saved_filters"), {})
        assert 0 < int(changed.cookies[OWN_WRITE_COOKIE]["max-age"]) < 70
        assert listed(client) == 2
    client.cookies.pop(OWN_WRITE_COOKIE)
    wait_until(lambda: replica_lag() == timedelta(0), configured.said)
    replica.replica.forget()
    assert listed(client) == 2
    # What other tests write on this server may be on its way at any moment.
    wait_until(lambda: "read from a copy" not in staff_list_afresh(client), configured.said)


PAGES = [
    "billing-usage",
    "billing-usage-csv",
    "billing-daily-reports",
    "billing-records",
    "billing-records-csv",
]


@WITH_REPLICA
@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_a_tenant_reads_its_figures_there(configured: Server, name: str) -> None:
    with held_back(configured), CaptureQueriesContext(connections[REPORTS]) as asked_there:
        # So new that the replica knows nothing of it.
        workspace = make_workspace(make_organization())
        owner = make_signing_in_user()
        make_membership(workspace.organization, owner, MembershipRole.OWNER)
        client = Client()
        client.force_login(owner)
        answer: Any = client.get(reverse(name, args=[workspace.slug]))
        assert answer.status_code in {200, 302}
        if answer.streaming:
            b"".join(answer.streaming_content)
    assert len(asked_there) >= 1


@WITH_REPLICA
def test_a_replica_that_is_away_or_far_behind_is_not_read_from(
    configured: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = fallbacks("behind"), fallbacks("away")
    monkeypatch.setattr(settings, "REPORTS_LARGEST_LAG_SECONDS", 0)
    with held_back(configured):
        make_product("behind")
        wait_until(lambda: replica_lag() > timedelta(0))
        replica.replica.forget()
        assert history_source(asked()).database == DEFAULT_DB_ALIAS
    connections[REPORTS].close()
    connections[REPORTS].settings_dict = {**connections[REPORTS].settings_dict, "PORT": "1"}
    replica.replica.forget()
    assert history_source(asked()) == Source(fallback="away")
    assert (fallbacks("behind"), fallbacks("away")) == (before[0] + 1, before[1] + 1)
    assert "replica_away" in caplog.text
    told = backlog_metrics().decode()
    assert "countinghouse_queue_waiting{" in told
    assert not re.search(r"^countinghouse_replica_lag_seconds ", told, re.MULTILINE)


@WITH_REPLICA
def test_a_server_that_is_no_replica_is_not_read_from(configured: Server) -> None:
    connections[REPORTS].close()
    connections[REPORTS].settings_dict = connection.settings_dict
    replica.replica.forget()
    assert history_source(asked()) == Source(fallback="away")


@WITH_REPLICA
def test_nothing_is_written_through_it_and_an_idle_primary_is_no_lag(configured: Server) -> None:
    place = make_place()
    wait_until(lambda: replica_lag() == timedelta(0), configured.said)
    copy = Product.objects.using(REPORTS).get(pk=place.product.pk)
    copy.name = "Written there"
    with pytest.raises(InternalError, match="read-only"):
        copy.save()
    connections[REPORTS].close_if_unusable_or_obsolete()
    assert connections[REPORTS].connection is not None, "a session that only reads is as it should be here"
    assert not Product.objects.filter(name="Written there").exists()
    assert re.search(r"^countinghouse_replica_lag_seconds \d", backlog_metrics().decode(), re.MULTILINE)


@WITH_REPLICA
@pytest.mark.slow
def test_a_change_a_transaction_and_whoever_has_just_written_read_the_primary(configured: Server) -> None:
    assert history_source(asked()).database == REPORTS
    assert history_source(asked("POST")) == PRIMARY
    with transaction.atomic():
        assert history_source(asked()) == PRIMARY
    marked = asked()
    marked.COOKIES[OWN_WRITE_COOKIE] = "1"
    assert history_source(marked) == PRIMARY


@pytest.mark.django_db
def test_without_a_replica_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any) -> None:
    monkeypatch.delitem(connections.databases, REPORTS, raising=False)
    with django_assert_num_queries(0):
        assert history_source(asked()) == PRIMARY
    with pytest.raises(MiddlewareNotUsed):
        OwnWritesMiddleware(lambda request: HttpResponse())


@pytest.mark.parametrize(("seconds", "said"), [(0, ""), (5, ""), (5.5, "5 seconds"), (42, "42 seconds")])
def test_the_age_is_told_from_five_seconds_on(seconds: float, said: str) -> None:
    sentence = Source(REPORTS, timedelta(seconds=seconds)).sentence
    assert (said in sentence) if said else sentence == ""
