"""The billing pages of a workspace, as the URL configuration has them and as they are declared."""

from __future__ import annotations

from tests.access.routes import Route, all_routes

PREFIX = "billing/<slug:workspace_slug>/"
# Page -> method -> (operation, the least role, the status of success). A page that is missing here fails the build.
DECLARED_PAGES: dict[str, dict[str, tuple[str, str, int]]] = {
    "billing-workspace": {"GET": ("workspaces.read", "viewer", 302)},
    "billing-credits": {"GET": ("credits.read", "viewer", 200)},
    "billing-credits-csv": {"GET": ("credits.read", "viewer", 200)},
    "billing-settings": {"GET": ("settings.read", "viewer", 200), "POST": ("settings.change", "admin", 302)},
}
# What a form that changes something sends.
BODIES: dict[str, dict[str, str]] = {"billing-settings": {"time_zone": "Europe/Lisbon"}}


def page_routes() -> list[Route]:
    """The leaves below the address of a workspace."""
    return [route for route in all_routes() if route.pattern.startswith(PREFIX)]
