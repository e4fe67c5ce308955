"""The cells of the access table, callers x relations x routes x methods, and which of them are asked.

A method that its route does not serve is refused without a look at anybody's rights, and HEAD is GET without a body. So
`make test` asks these for some of the callers and relations, for each route others: all of them have their turn. `make
prove` asks every cell.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TypeVar

from apps.backoffice.site import declared_routes
from tests.access.pages import page_routes
from tests.access.routes import METHODS, Route, api_routes
from tests.access.world import PRINCIPALS, RELATIONS
from tests.sizes import size

Item = TypeVar("Item")

PAIRS = list(itertools.product(PRINCIPALS, RELATIONS))
# One in so many; none shares a divisor with the four relations, so that a sample has all of them. Of the staff plane's
# methods that no page serves, each route is asked by one caller, the next route by the next.
_UNSERVED, _HEAD, _STAFF = size(small=(15, 5, 15), full=(1, 1, 1))
ROUTES, PAGES = api_routes(), page_routes()
STAFF_ROUTES = sorted(name for name, operation in declared_routes().items() if operation is not None)


def api_cells(route: Route, method: str) -> list[tuple[str, str]]:
    """The callers and relations that this method of an API route is asked for."""
    step = 1 if method in route.operations else _UNSERVED
    return _sample(PAIRS, step, ROUTES.index(route) * len(METHODS) + METHODS.index(method))


def page_cells(route: Route, method: str) -> list[tuple[str, str]]:
    """The same of a billing page."""
    is_head = method == "HEAD" and "GET" in route.operations
    step = 1 if method in route.operations else _HEAD if is_head else _UNSERVED
    return _sample(PAIRS, step, PAGES.index(route) * len(METHODS) + METHODS.index(method))


def staff_cells(name: str, method: str) -> list[str]:
    """The callers that this method of a page of the staff plane is asked for; every page takes GET, forms take POST."""
    step = 1 if method in {"GET", "POST"} else _STAFF
    return _sample(list(PRINCIPALS), step, STAFF_ROUTES.index(name) * len(METHODS) + METHODS.index(method))


def _sample(items: Sequence[Item], step: int, number: int) -> list[Item]:
    return list(items[number % step :: step])


def cell_counts() -> dict[str, tuple[int, int]]:
    """How many cells of each plane are asked, and how many there are.

    A page of the staff plane has one relation: the object on the page.
    """
    asked = {
        "internal API": sum(len(api_cells(*cell)) for cell in itertools.product(ROUTES, METHODS)),
        "staff plane": sum(len(staff_cells(*cell)) for cell in itertools.product(STAFF_ROUTES, METHODS)),
        "billing pages": sum(len(page_cells(*cell)) for cell in itertools.product(PAGES, METHODS)),
    }
    every = {
        "internal API": len(ROUTES) * len(METHODS) * len(PAIRS),
        "staff plane": len(STAFF_ROUTES) * len(METHODS) * len(PRINCIPALS),
        "billing pages": len(PAGES) * len(METHODS) * len(PAIRS),
    }
    return {plane: (asked[plane], count) for plane, count in every.items()}
