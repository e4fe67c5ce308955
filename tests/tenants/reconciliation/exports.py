"""A product's membership export, served over real HTTP, with every way to be bad; and many members at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.db import connection

from apps.core.ids import ProductId
from apps.tenants.models import Membership, Organization, Product, User
from apps.tenants.services import product_export_change
from tests.contexts import console_context
from tests.http_server import QuietHandler, serve

KEY = "red-export-key-of-tests"
Row = dict[str, Any]


def row(organization: Organization | uuid.UUID, user: User | uuid.UUID, role: str = "member", **more: Any) -> Row:
    """One member as a product writes it."""
    return {"organization_id": _id(organization), "user_id": _id(user), "role": role, **more}


def _id(value: Organization | User | uuid.UUID) -> str:
    return str(value if isinstance(value, uuid.UUID) else value.pk)


def in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda each: (each["organization_id"], each["user_id"]))


@dataclass
class Export:
    """What the server answers: `rows` as they stand, in pages. `total` None: their true number.

    `fails` are statuses by page number, each answered once for every entry. `bodies` are answered in place of a page.
    """

    rows: list[Row] = field(default_factory=list)
    page_size: int = 1_000
    total: int | None = None
    fails: dict[int, list[int]] = field(default_factory=dict)
    bodies: dict[int, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, cursor: str, authorization: str) -> tuple[int, bytes]:
        page = int(cursor or "1")
        self.asked.append((cursor, authorization))
        if authorization != f"Bearer {KEY}":
            return 401, b"{}"
        if self.fails.get(page):
            return self.fails[page].pop(0), b"{}"
        if page in self.bodies:
            return 200, self.bodies[page]
        begin = (page - 1) * self.page_size
        more = begin + self.page_size < len(self.rows)
        body = {
            "members": self.rows[begin : begin + self.page_size],
            "next_cursor": str(page + 1) if more else None,
            "total": len(self.rows) if self.total is None else self.total,
        }
        return 200, json.dumps(body).encode()


@contextmanager
def served(export: Export) -> Iterator[Export]:
    """The export at an address of this machine; the caller has allowed it."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            cursor = parse_qs(urlsplit(self.path).query).get("cursor", [""])[0]
            status, body = export.answer(cursor, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serve(Handler) as port:
        export.url = f"http://127.0.0.1:{port}/members"
        yield export


def connect(product: Product, export: Export, key: str = KEY) -> None:
    """Tell the product's page where its export is."""
    product_export_change(
        console_context(), product_id=ProductId(product.pk), url=export.url, key=key, reason="to be reconciled"
    )


def insert_members(product: Product, organizations: int, each: int) -> list[Row]:
    """So many members here, written in bulk, and the rows of an export that agrees with all of them.

    Written past the services, which would take an hour for the sizes of a proof; only what reconciliation reads.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH made AS (
                INSERT INTO tenants_organization
                    (id, slug, name, kind, is_demo, is_synthetic, time_zone, created_at)
                SELECT gen_random_uuid(), 'bulk-' || n, 'Bulk ' || n, 'team', false, false, 'UTC', now()
                FROM generate_series(1, %s) n RETURNING id)
            INSERT INTO tenants_productrelation (id, product_id, organization_id, source, created_at)
            SELECT gen_random_uuid(), %s, id, 'staff', now() FROM made
            """,
            [organizations, product.pk],
        )
        cursor.execute(
            """
            INSERT INTO tenants_user
                (id, password, external_id, is_superuser, is_staff, is_active, email, name, created_at)
            SELECT gen_random_uuid(), '!', '', false, false, true, 'bulk' || n || '@example.com', 'Bulk', now()
            FROM generate_series(1, %s) n
            """,
            [each],
        )
        cursor.execute(
            """
            INSERT INTO tenants_membership
                (id, organization_id, user_id, role, origin, origin_product_id, role_changed_at, created_at)
            SELECT gen_random_uuid(), r.organization_id, u.id, 'member', 'product', %s, %s, now()
            FROM tenants_productrelation r, tenants_user u WHERE r.product_id = %s AND u.email LIKE 'bulk%%'
            """,
            [product.pk, datetime(2026, 1, 1, tzinfo=UTC), product.pk],
        )
    found = Membership.objects.filter(origin_product=product).order_by("organization_id", "user_id")
    return [row(o, u) for o, u in found.values_list("organization_id", "user_id")]
