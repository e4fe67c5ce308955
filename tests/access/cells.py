"""The cells of the access table, callers x relations x routes x methods, and which of them are asked.

A method that its route does not serve is refused without a look at anybody's rights, HEAD is GET without a body, and
callers that the rules of spec 02 do not tell apart (twins: two tokens on a page for people, two members of another
organization) are answered alike. So `make test` asks these for some of the callers and relations, for each route
others: all of them have their turn. What the rules do tell apart, every member of the own organization, is asked
everywhere, and of staff the roles between which the answer turns. `make prove` asks every cell.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

from apps.backoffice.site import declared_routes
from apps.core.enums import Role
from apps.core.operations import OPERATIONS, reaches
from tests.access.outcomes import JOB_ROUTES, SYNC_ROUTES
from tests.access.pages import page_routes
from tests.access.routes import METHODS, Route, api_routes
from tests.access.world import MEMBERS, PRINCIPALS, RELATIONS, STAFF, TOKENS
from tests.sizes import IS_FULL, size

Item = TypeVar("Item")

Pair = tuple[str, str]

PAIRS = list(itertools.product(PRINCIPALS, RELATIONS))
OUTSIDE = [principal for principal in PRINCIPALS if principal not in STAFF]
# One in so many; none shares a divisor with the four relations, so that a sample has all of them. Of the staff plane's
# methods that no page serves, each route is asked by one caller, the next route by the next.
_UNSERVED, _HEAD, _STAFF, _TWINS = size(small=(25, 7, 25, 5), full=(1, 1, 1, 1))
ROUTES, PAGES = api_routes(), page_routes()
STAFF_OPERATIONS = declared_routes()
STAFF_ROUTES = sorted(name for name, operation in STAFF_OPERATIONS.items() if operation is not None)


def api_cells(route: Route, method: str) -> list[Pair]:
    """The callers and relations that this method of an API route is asked for."""
    number = ROUTES.index(route) * len(METHODS) + METHODS.index(method)
    if method not in route.operations:
        return _sample(PAIRS, _UNSERVED, number)
    if route.name in JOB_ROUTES | SYNC_ROUTES:
        return PAIRS
    # Where tokens act, all people are refused alike.
    return _in_turn(lambda pair: "" if pair[0] in TOKENS else "people", number)


def page_cells(route: Route, method: str) -> list[Pair]:
    """The same of a billing page."""
    number = PAGES.index(route) * len(METHODS) + METHODS.index(method)
    if method not in route.operations:
        return _sample(PAIRS, _HEAD if method == "HEAD" and "GET" in route.operations else _UNSERVED, number)
    return _in_turn(_page_twins, number)


def _page_twins(pair: Pair) -> str:
    """The name of those whom the rules of a billing page treat alike; "" for a member of the own organization."""
    principal, relation = pair
    if principal == "anonymous" or principal in TOKENS:
        return "signed out"
    if relation == "demo" or (principal in STAFF and relation != "absent"):
        return f"{principal in STAFF} {relation == 'demo'}"
    return "" if principal in MEMBERS and relation == "own" else "unseen"


def _in_turn(twins: Callable[[Pair], str], number: int) -> list[Pair]:
    """All who have no twins, and of each kind of twins one in three."""
    kinds: dict[str, list[Pair]] = {}
    for pair in PAIRS:
        kinds.setdefault(twins(pair), []).append(pair)
    return [pair for kind, pairs in kinds.items() for pair in _sample(pairs, _TWINS if kind else 1, number)]


def staff_cells(name: str, method: str) -> list[str]:
    """The callers that this method of a page of the staff plane is asked for; every page takes GET, forms take POST."""
    number = STAFF_ROUTES.index(name) * len(METHODS) + METHODS.index(method)
    if method not in {"GET", "POST"}:
        return _sample(list(PRINCIPALS), _STAFF, number)
    required = OPERATIONS[str(STAFF_OPERATIONS[name])].platform_role
    may = [principal for principal in STAFF if reaches(Role(principal.removeprefix("staff ")), required)]
    may_not = [principal for principal in STAFF if principal not in may]
    inside = list(STAFF) if IS_FULL else [*may_not[-1:], *may[:1]]
    return [*_sample(OUTSIDE, _TWINS, number), *inside]


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
