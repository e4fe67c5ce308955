"""Row versions: every change of a row is kept, signed where a service made it, also under server-side binding."""

from __future__ import annotations

from collections.abc import Iterator

import pghistory
import pytest
from django.apps import apps
from django.db import DatabaseError, connection, connections, transaction

from apps.core.row_versions import row_versions_attribute
from apps.subscriptions.contracts import Activate, Lock, Suspend
from apps.subscriptions.ids import PlanId
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.services import payment_config_change
from tests.contexts import console_context, staff_context
from tests.subscriptions.cast import REASON, make_place, make_plan, staff_change

VERSIONS = apps.get_model("subscriptions", "WorkspaceSubscriptionEvent")
CONFIG_VERSIONS = apps.get_model("subscriptions", "OrganizationPaymentConfigEvent")


@pytest.fixture(params=[False, True], ids=["client-side binding", "server-side binding"])
def bound(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[bool]:
    """Runs the test on a connection of its own, with parameters bound by psycopg or by the server."""
    ours = connections["default"]
    binding = {"server_side_binding": request.param, "prepare_threshold": 0 if request.param else None}
    other = ours.copy()
    other.settings_dict = {**ours.settings_dict, "OPTIONS": {**ours.settings_dict["OPTIONS"], **binding}}
    connections["default"] = other
    yield request.param
    other.close()
    connections["default"] = ours


def test_each_version_is_signed_by_the_service_that_made_it(bound: bool) -> None:
    place, plan, context = make_place(), make_plan(), staff_context()
    staff_change(place, Activate(PlanId(plan.pk)), context)
    staff_change(place, Suspend(), context)

    versions = list(VERSIONS.objects.order_by("pgh_id").values("pgh_label", "state", "version", "pgh_context"))
    assert [(v["pgh_label"], v["state"], v["version"]) for v in versions] == [
        ("insert", "active", 1),
        ("update", "suspended", 2),
    ]
    for version in versions:
        assert version["pgh_context"] == {
            "actor_kind": "user",
            "actor_id": context.actor.id,
            "actor_label": context.actor.label,
            "reason": REASON,
            "request_id": context.request_id,
        }


def test_a_raw_update_is_kept_unsigned(bound: bool) -> None:
    place, plan = make_place(), make_plan()
    staff_change(place, Activate(PlanId(plan.pk)))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE subscriptions_workspacesubscription SET state = %s", ["suspended"])
    WorkspaceSubscription.objects.all().delete()

    kept = list(VERSIONS.objects.order_by("pgh_id").values_list("pgh_label", "state", "pgh_context"))
    assert [(label, state) for label, state, _ in kept] == [
        ("insert", "active"),
        ("update", "suspended"),
        ("delete", "suspended"),
    ]
    assert [signature is None for _, _, signature in kept] == [False, True, True]


def test_payment_configs_are_kept_too(bound: bool) -> None:
    place = make_place()
    payment_config_change(console_context(), organization_id=place.organization_id, change=Lock())
    OrganizationPaymentConfig.objects.update(grace_period_days=3)
    kept = CONFIG_VERSIONS.objects.order_by("pgh_id").values_list("pgh_label", "payment_status", "version")
    assert list(kept) == [("insert", "uninitialized", 1), ("update", "locked", 2), ("update", "locked", 3)]


def test_the_signature_ends_with_its_transaction(bound: bool) -> None:
    with transaction.atomic():
        row_versions_attribute(staff_context(), reason="once")
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('pghistory.context_metadata', true), '')")
        assert cursor.fetchone() == ("",)
    with pytest.raises(RuntimeError):
        row_versions_attribute(staff_context(), reason="nowhere")


def test_versions_are_append_only(bound: bool) -> None:
    place, plan = make_place(), make_plan()
    staff_change(place, Activate(PlanId(plan.pk)))
    with pytest.raises(DatabaseError), transaction.atomic():
        VERSIONS.objects.update(state="ended")
    with pytest.raises(DatabaseError), transaction.atomic():
        VERSIONS.objects.all().delete()
    assert VERSIONS.objects.count() == 1


def test_pghistorys_own_context_fails_under_server_side_binding(bound: bool) -> None:
    """The control: why we sign by a statement of our own."""
    make_plan()

    def change() -> None:
        with transaction.atomic(), pghistory.context(reason="by pghistory"):
            OrganizationPaymentConfig.objects.update(grace_period_days=4)

    if bound:
        with pytest.raises(DatabaseError, match="multiple commands"):
            change()
    else:
        change()
