"""What each cell of the access table must answer: the rules of spec 02 and 11, written a second time."""

from __future__ import annotations

from tests.access.routes import DECLARED
from tests.access.world import MEMBERS, STAFF

JOB_ROUTES = {"job-run", "job-run-detail"}
# What a product's token answers where it may act; a created record is told from an existing one.
SUCCESS = {
    ("users-upsert", "POST"): {201},
    ("organizations-upsert", "POST"): {200},
    ("workspaces-upsert", "POST"): {200},
    ("members-upsert", "POST"): {201},
    ("members", "GET"): {200},
    ("member", "GET"): {200},
    ("member", "DELETE"): {204},
    ("organization-products-upsert", "POST"): {200, 201},
    ("portal-sessions", "POST"): {201},
    ("mode-of-billing", "GET"): {200},
    ("membership-snapshots", "POST"): {202},
    # A snapshot is its product's own; that of the table is nobody's.
    ("membership-snapshot", "GET"): {404},
    ("workspace-lifecycle", "GET"): {200},
    ("payment-config", "GET"): {200},
    ("credit-policy", "GET"): {200},
    ("credits-authorize", "POST"): {200},
    ("credits-consume", "POST"): {201},
    # The items of a batch are refused each by itself.
    ("credits-consume-batch", "POST"): {200},
    ("credits-grant", "POST"): {201},
    ("hold-capture", "POST"): {201},
    ("hold-release", "POST"): {200},
    ("hold-extend", "POST"): {200},
    ("entry-reverse", "POST"): {201},
    ("connectors", "GET"): {200},
    ("connectors", "POST"): {201},
    ("connector", "GET"): {200},
    ("connector", "PATCH"): {200},
    ("connector", "DELETE"): {204},
    # Nobody is asked about a month: the caller got as far as that.
    ("month-confirm", "POST"): {409},
    ("month-reject", "POST"): {409},
    ("connector-enable", "POST"): {200},
    ("connector-disable", "POST"): {200},
    # The provider of the table's connectors takes no key: the caller got as far as that.
    ("connector-credential", "PUT"): {422},
    ("connector-syncs", "POST"): {202},
    ("sync-run", "GET"): {200},
    ("balance", "GET"): {200},
    ("usage-query", "GET"): {200},
    ("usage-query", "POST"): {200},
    ("entries", "GET"): {200},
    ("grants", "GET"): {200},
    ("holds", "GET"): {200},
    ("entry", "GET"): {200},
    ("hold", "GET"): {200},
    ("grant-burns", "GET"): {200},
    ("grant-void", "POST"): {200},
    ("decision", "GET"): {200},
}
NAMES_NO_TENANT = {
    "users-upsert",
    "mode-of-billing",
    "membership-snapshots",
    "membership-snapshot",
    "credit-policy",
    "credits-consume-batch",
}
# A token has at least one scope; the one without the others' can query usage.
HELD_SCOPE_ROUTE = "usage-query"
# The bodies of the deletions that have one.
DELETE_BODIES = {"connector": {"reason": "for the table"}}
SIGNED_OUT = {"anonymous"}
SYNC_ROUTES = {"connector-syncs", "sync-run"}
PRODUCTS = {"product token", "product token without scopes", "identity token"}


def expected(route: str, method: str, principal: str, relation: str) -> set[int]:
    """The statuses that the cell may answer; one, except where creating and finding are both right."""
    if principal == "revoked token":
        return {401}
    if method not in DECLARED[route]:
        return {405}
    if route in JOB_ROUTES:
        return _job(route, principal, relation)
    if route in SYNC_ROUTES and principal not in PRODUCTS:
        return _sync(route, method, principal, relation)
    return _product(route, method, principal, relation)


def _sync(route: str, method: str, principal: str, relation: str) -> set[int]:
    """Cron or authenticated: an admin of the tenant, billing operations, a cron token (spec 06, The gate)."""
    if principal in SIGNED_OUT:
        return {401}
    if relation == "absent":
        return {404}
    if principal == "cron token" or principal in STAFF:
        # In the demo tenant every staff member is an admin.
        is_below = principal == "staff support" and route == "connector-syncs" and relation != "demo"
        return {403} if is_below else SUCCESS[route, method]
    if relation == "own" and principal in MEMBERS:
        may = route == "sync-run" or principal in {"tenant owner", "tenant admin"}
        return SUCCESS[route, method] if may else {403}
    # In the demo tenant anybody is a viewer; every other tenant is invisible.
    if relation == "demo":
        return SUCCESS[route, method] if route == "sync-run" else {403}
    return {404}


def _product(route: str, method: str, principal: str, relation: str) -> set[int]:
    if "token" not in principal:
        return {401}
    needs_identity = route == "organization-products-upsert"
    # What ends a grace period is none of a token's default scopes.
    is_bare = principal == "product token without scopes" and route != HELD_SCOPE_ROUTE
    lacks_scope = principal == "cron token" or is_bare or route == "end-grace-period"
    if lacks_scope or (needs_identity and principal == "product token"):
        return {403}
    if route in NAMES_NO_TENANT:
        return SUCCESS[route, method]
    if relation == "absent":
        return {201} if route == "organizations-upsert" else {404}
    if relation == "foreign" and principal.startswith("product token"):
        return {403}
    return SUCCESS[route, method]


def _job(route: str, principal: str, relation: str) -> set[int]:
    if principal in SIGNED_OUT:
        return {401}
    if principal in {"product token", "product token without scopes", "identity token"}:
        return {403}
    done = {202} if route == "job-run" else {200}
    if principal == "cron token" or principal in STAFF:
        if relation == "absent":
            return {404}
        # The job of the table needs billing operations; an admin, which staff are in a demo tenant, is below that.
        is_below = principal == "staff support" or (relation == "demo" and principal in STAFF)
        return {403} if is_below and route == "job-run" else done
    return _member(route, principal, relation, done)


def _member(route: str, principal: str, relation: str, done: set[int]) -> set[int]:
    """People without a platform role; staff who have not shown the second factor are such people."""
    if relation == "own" and principal in MEMBERS:
        may = route == "job-run-detail" and principal in {"tenant owner", "tenant admin"}
        return done if may else {403}
    # In the demo tenant anybody is a viewer; every other tenant is invisible.
    return {403} if relation == "demo" else {404}
