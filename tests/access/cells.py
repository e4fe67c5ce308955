"""How many cells the access table has: callers x relations x routes x methods."""

from __future__ import annotations

from apps.backoffice.site import declared_routes
from tests.access.pages import page_routes
from tests.access.routes import METHODS, api_routes
from tests.access.world import PRINCIPALS, RELATIONS


def cell_counts() -> dict[str, int]:
    """The cells of each plane. A page of the staff plane has one relation: the object on the page."""
    guarded = [name for name, operation in declared_routes().items() if operation is not None]
    return {
        "internal API": len(api_routes()) * len(METHODS) * len(PRINCIPALS) * len(RELATIONS),
        "staff plane": len(guarded) * len(METHODS) * len(PRINCIPALS),
        "billing pages": len(page_routes()) * len(METHODS) * len(PRINCIPALS) * len(RELATIONS),
    }
