"""Every route of the staff plane x method x caller: the role's operation decides, and nothing changes by asking."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from apps.backoffice.registry import registered_pages
from apps.backoffice.site import declared_routes
from apps.core import clock
from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.core.operations import OPERATIONS, reaches
from apps.payments.enums import ReviewKind
from apps.payments.models import Review
from apps.tenants.models import Organization
from tests.access.cells import cell_counts, staff_cells
from tests.access.pages import DECLARED_PAGES
from tests.access.routes import BY_CONNECTOR, DECLARED, METHODS, SIGNED, all_routes
from tests.access.world import PRINCIPALS, STAFF, World
from tests.backoffice.records import MAKERS

GUARDED = {name: operation for name, operation in declared_routes().items() if operation is not None}


@pytest.fixture(scope="module")
def records(stage: World) -> dict[str, Any]:
    return make_records()


def make_records() -> dict[str, Any]:
    """The key of a record of each kind, by the beginning of its pages' names, and a task that waits."""
    made = {page.route_prefix: MAKERS[page.model]().pk for page in registered_pages()}
    organization = Organization.objects.earliest("created_at")
    review = Review.objects.create(
        organization=organization, kind=ReviewKind.PAUSED, sentence="Collection is paused.", opened_at=clock.now()
    )
    task = {"kind": "review", "organization_id": organization.pk, "subject_id": review.pk, "verb": "snoozed"}
    return {**made, "decide_task": task}


def arguments_of(name: str, records: dict[str, Any]) -> dict[str, Any]:
    """The URL's arguments: a record that exists for the pages of records."""
    if name == "run_job":
        return {"name": "drain-outbox"}
    if name == "decide_task":
        return dict(records[name])
    if name == "subscriptions_plan_new":
        return {}
    if name == "credits_creditpolicy_draft":
        return {"product_id": records["tenants_product"]}
    for prefix, key in records.items():
        if name.startswith(f"{prefix}_") and not name.endswith(("_changelist", "_list_file")):
            return {"object_id": key}
    return {}


def is_declared(name: str, method: str, principal: str, status: int) -> bool:
    """Whether the answer is the one that the tables of spec 02 and 08 ask for."""
    if principal not in STAFF:
        return status == 302
    if not reaches(Role(principal.removeprefix("staff ")), OPERATIONS[GUARDED[name]].platform_role):
        return status == 403 or (method != "GET" and status == 405)
    if method == "GET":
        return status == 200
    # A form that is sent empty is shown again; whatever takes no form refuses the method.
    return status in {200, 405}


@pytest.mark.prove("P4 each cell of the staff plane answers as declared", size=cell_counts()["staff plane"][0])
@pytest.mark.parametrize("method", METHODS)
def test_every_cell_of_the_staff_plane_answers_as_declared(records: dict[str, Any], world: World, method: str) -> None:
    entries = AuditEntry.objects.count()
    wrong = []
    for principal in PRINCIPALS:
        client, headers = world.client(principal)
        for name in (name for name in GUARDED if principal in staff_cells(name, method)):
            path = reverse(f"admin:{name}", kwargs=arguments_of(name, records))
            with transaction.atomic():
                answer: Any = client.generic(method, path, headers=headers)
                assert AuditEntry.objects.count() == entries, (name, principal)
                transaction.set_rollback(True)
            if not is_declared(name, method, principal, answer.status_code):
                wrong.append(f"{principal} {method} {name}: {answer.status_code}")
            if answer.status_code == 302 and not answer.headers["Location"].startswith(reverse("admin:login")):
                wrong.append(f"{principal} {method} {name}: led to {answer.headers['Location']}")
    assert wrong == []


OPEN = {
    "healthz", "readyz", "metrics", "schema", "api-docs", "start", "sign-in", "sign-out",
    "forgot-password", "forgot-password-sent", "sign-in-link", "account", "portal-session", "impersonation-end",
    "oidc-begin", "oidc-callback", "report-unsubscribe", "report-confirm",
    # The admin's own answer for addresses that are not there.
    "admin:",
}  # fmt: skip
PAGES = {"billing-home", *DECLARED_PAGES}


def undeclared_names(names: set[str]) -> set[str]:
    """Route names that no table of this folder speaks of."""
    staff = {f"admin:{name}" for name in declared_routes()}
    return names - staff - set(DECLARED) - set(SIGNED) - set(BY_CONNECTOR) - OPEN - PAGES


def test_every_route_of_the_product_stands_in_a_table() -> None:
    assert undeclared_names({route.name for route in all_routes()}) == set()


def test_the_views_by_connector_ask_for_what_is_declared() -> None:
    assert {route.name: route.operations for route in all_routes() if route.name in BY_CONNECTOR} == BY_CONNECTOR


def test_a_route_that_stands_in_no_table_is_found() -> None:
    assert undeclared_names({"healthz", "secrets"}) == {"secrets"}
