"""Every route of the URL configuration, and what the product declares about those of the internal API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
API = "api/v1/internal/"


@dataclass(frozen=True, slots=True)
class Route:
    """One URL pattern: its text, its name with namespaces, and the view behind it."""

    pattern: str
    name: str
    callback: Any

    @property
    def operations(self) -> dict[str, str]:
        view = getattr(self.callback, "view_class", None) or getattr(self.callback, "cls", None)
        return dict(getattr(view, "operations", {}))


def all_routes() -> list[Route]:
    """Every leaf of the URL configuration."""
    return list(_walk(get_resolver().url_patterns, "", ""))


def api_routes() -> list[Route]:
    """The leaves below the internal API."""
    return [route for route in all_routes() if route.pattern.startswith(API)]


def _walk(patterns: list[URLPattern | URLResolver], prefix: str, namespace: str) -> Iterator[Route]:
    for pattern in patterns:
        text = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, text, inner)
        else:
            yield Route(text, f"{namespace}{pattern.name or ''}", pattern.callback)


# The declared outcome of each API route: route name -> method -> operation. A route that is missing here fails the
# build, and so does one whose view says something else (spec 11, P4).
DECLARED: dict[str, dict[str, str]] = {
    "users-upsert": {"POST": "users.upsert"},
    "organizations-upsert": {"POST": "organizations.upsert"},
    "workspaces-upsert": {"POST": "workspaces.upsert"},
    "members-upsert": {"POST": "members.upsert"},
    "members": {"GET": "members.read"},
    "member": {"GET": "members.read", "DELETE": "members.remove"},
    "organization-products-upsert": {"POST": "organizations.relate_product"},
    "portal-sessions": {"POST": "portal_sessions.create"},
    "mode-of-billing": {"GET": "billing_mode.read"},
    "membership-snapshots": {"POST": "membership_snapshots.push"},
    "membership-snapshot": {"GET": "membership_snapshots.push"},
    "job-run": {"POST": "jobs.start"},
    "job-run-detail": {"GET": "jobs.read"},
    "workspace-lifecycle": {"GET": "lifecycle.read"},
    "payment-config": {"GET": "payment_configs.read"},
    "end-grace-period": {"POST": "payment_configs.end_grace"},
    "connectors": {"GET": "connectors.read", "POST": "connector.edit"},
    "connector": {"GET": "connectors.read", "PATCH": "connector.edit", "DELETE": "connectors.disable"},
    "month-confirm": {"POST": "connector.sync"},
    "month-reject": {"POST": "connector.sync"},
    "connector-enable": {"POST": "connector.edit"},
    "connector-disable": {"POST": "connectors.disable"},
    "connector-credential": {"PUT": "connector.credential"},
    "connector-syncs": {"POST": "connector.sync"},
    "sync-run": {"GET": "connectors.read"},
    "credit-policy": {"GET": "credit_policies.read"},
    "credits-authorize": {"POST": "credits.authorize"},
    "credits-consume": {"POST": "credits.consume"},
    "credits-consume-batch": {"POST": "credits.consume"},
    "credits-grant": {"POST": "credits.grant"},
    "hold-capture": {"POST": "holds.capture"},
    "hold-release": {"POST": "holds.release"},
    "hold-extend": {"POST": "holds.extend"},
    "entry-reverse": {"POST": "credits.reverse"},
    "balance": {"GET": "credits.read"},
    "usage-query": {"GET": "usage.read", "POST": "usage.read"},
    "entries": {"GET": "credits.read"},
    "grants": {"GET": "credits.read"},
    "holds": {"GET": "credits.read"},
    "entry": {"GET": "credits.read"},
    "hold": {"GET": "credits.read"},
    "grant-burns": {"GET": "credits.read"},
    "grant-void": {"POST": "grants.void"},
    "decision": {"GET": "credits.read"},
}


# Outside the API: guarded by the provider's signature of the body alone, in these headers (spec 04, Webhooks).
SIGNED: dict[str, tuple[str, ...]] = {
    "webhook-stripe": ("Stripe-Signature",),
    "webhook-orb": ("X-Orb-Timestamp", "X-Orb-Signature"),
}


# For people, and outside the pages of a workspace: the tenant is that of the connector which the request names. Who
# may, and what a stranger sees, is held by tests/connectors/test_authorize_at_google.py.
BY_CONNECTOR: dict[str, dict[str, str]] = {
    "google-authorize": {"GET": "connector.credential"},
    "google-callback": {"GET": "connector.credential"},
}


def undeclared(routes: list[Route]) -> list[str]:
    """The routes whose methods are not declared exactly as their views serve them."""
    return [route.name or route.pattern for route in routes if DECLARED.get(route.name) != route.operations]
