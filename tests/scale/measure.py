"""What a page costs in buffers (8 kB, hit or read), which are free of noise, and in statements (spec 11, Speed)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse

from apps.backoffice.filters import StaffFilter
from apps.backoffice.registry import PAGES, registered_pages
from apps.tenants.models import User, Workspace

TENANT_PAGES = ("overview", "credits", "usage", "records", "connectors", "invoices", "settings", "daily-reports")


@dataclass
class Cost:
    """Of one page: its statements, and the buffers of those that read."""

    statements: int = 0
    buffers: int = 0
    worst: str = ""
    _most: int = field(default=0, repr=False)

    def add(self, sql: str, buffers: int) -> None:
        self.statements += 1
        self.buffers += buffers
        if buffers > self._most:
            self._most, self.worst = buffers, f"{buffers:,}: {sql[:600]}"


@contextmanager
def costs() -> Iterator[Cost]:
    """Run each reading statement a second time, explained. What writes counts as a statement alone."""
    cost, is_explaining = Cost(), False

    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal is_explaining
        result = execute(sql, params, many, context)
        if is_explaining or not sql.lstrip().upper().startswith(("SELECT", "WITH", "(SELECT")) or "FOR UPDATE" in sql:
            cost.statements += not is_explaining
            return result
        is_explaining = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                explained = cursor.fetchone()[0]
        finally:
            is_explaining = False
        found = json.loads(explained) if isinstance(explained, str) else explained
        plan = found[0]["Plan"]
        cost.add(sql, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return result

    with connection.execute_wrapper(wrapper):
        yield cost


def staff_addresses(user: User, *, choices: int) -> Iterator[tuple[str, str]]:
    """Each list, a search in it, and each of its filters with so many of its choices; by name."""
    request = RequestFactory().get("/")
    request.user = user
    for model, page in zip(PAGES, registered_pages(), strict=True):
        url = reverse(f"admin:{page.route_prefix}_changelist")
        yield model.__name__, url
        yield f"{model.__name__} ?q=", f"{url}?q=nothing-begins-so"
        for filter_class in page.list_filter:
            assert isinstance(filter_class, type)
            assert issubclass(filter_class, StaffFilter)
            shown = filter_class(request, {}, model, page)
            options = [value for value, _ in shown.options()] or ["2026-01-15"]
            for place, value in enumerate(options[:choices]):
                asked = {shown.parameters[0]: value}
                name = value if len(value) < 30 else f"{place + 1}."
                yield f"{model.__name__} ?{shown.parameters[0]}={name}", f"{url}?{urlencode(asked)}"


def tenant_addresses(workspace: Workspace) -> Iterator[tuple[str, str]]:
    for name in TENANT_PAGES:
        yield f"tenant {name}", reverse(f"billing-{name}", args=(workspace.slug,))


def measure(client: Client, addresses: Iterator[tuple[str, str]]) -> dict[str, Cost]:
    """What each page costs the second time, when what is made once is made."""
    found = {}
    for name, url in addresses:
        assert client.get(url).status_code in {200, 302}, url
        with costs() as cost:
            client.get(url)
        found[name] = cost
    return found
