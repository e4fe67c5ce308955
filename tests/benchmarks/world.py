"""What is measured upon: 1,000 organizations, each with a member, a workspace, a grant and a used-up free quantity."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections import deque
from dataclasses import dataclass, field
from functools import cache

from django.db import connection

from apps.core.amounts import MICRO
from apps.core.clock import now
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, ProductId, UserId, WorkspaceId
from apps.credits.contracts import AccountRef, Consumption, Question
from apps.credits.enums import AccountType, GrantType
from apps.credits.models import FreeQuantity
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_grant, credit_policy_publish_prices
from apps.credits.services.grants import GrantParams
from apps.tenants.enums import OrganizationKind
from apps.tenants.services import (
    member_upsert,
    organization_upsert,
    product_relation_upsert,
    user_upsert,
    workspace_upsert,
)
from apps.tenants.services.organizations import OrganizationParams
from tests.benchmarks.load import request_bytes
from tests.contexts import console_context, product_context
from tests.factories.tenants import make_product, make_token

OPERATION = "fix_run"
API = "/api/v1/internal"
_PRICE = Price(OPERATION, "run", 1_000, minimum_charge=1_000, free_quantity=MICRO)


@cache
def id_of(kind: str, number: int) -> uuid.UUID:
    """A fixed id, so that pgbench can compute it: organizations "8", users "9", workspaces "a"."""
    return uuid.UUID(f"{number:08d}-0000-4000-{kind}000-000000000000")


@dataclass(slots=True)
class World:
    """The product, its token, and requests that differ in their keys."""

    size: int
    token: str
    context: ExecutionContext
    _turn: itertools.count[int] = field(default_factory=itertools.count)
    _sent: deque[str] = field(default_factory=deque)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - it must repeat

    def consumption(self, number: int | None = None) -> Consumption:
        """One consumption, as a service takes it."""
        turn = next(self._turn)
        at = turn % self.size if number is None else number
        account = AccountRef(AccountType.ORGANIZATION, id_of("8", at))
        question = Question(account, OPERATION, MICRO, id_of("9", at), id_of("a", at))
        return Consumption(f"s{uuid.uuid4().hex}", question, "succeeded", run_id=f"run-{turn}")

    def consume(self, number: int | None = None, path: str = f"{API}/credits:consume") -> bytes:
        """The request that consumes; of the given organization, or of all in turn."""
        at = next(self._turn) % self.size if number is None else number
        return request_bytes(path, self._item(at).encode(), self.token)

    def authorize(self) -> bytes:
        """The request that asks."""
        body = f"{{{_asked(next(self._turn) % self.size)}}}"
        return request_bytes(f"{API}/credits:authorize", body.encode(), self.token)

    def batch(self, count: int, *, repeated: int = 0) -> bytes:
        """The request that consumes many, of organizations by chance, as pgbench picks them; so many of its items were
        charged by former ones.
        """
        fresh = [self._item(self._chance.randrange(self.size)) for _ in range(count - min(repeated, len(self._sent)))]
        items = [*fresh, *(self._sent.popleft() for _ in range(count - len(fresh)))]
        if repeated:
            self._chance.shuffle(items)
            self._sent.extend(fresh[:repeated])
        body = f'{{"items": [{", ".join(items)}]}}'
        return request_bytes(f"{API}/credits:consume-batch", body.encode(), self.token)

    def _item(self, at: int) -> str:
        turn = next(self._turn)
        return f'{{"idempotency_key": "k{turn}", {_asked(at)}, "outcome": "succeeded", "run_id": "run-{turn}"}}'


@cache
def _asked(number: int) -> str:
    """A question's members as JSON, kept: what making requests costs is taken from the server that is measured."""
    return json.dumps(
        {
            "account": {"type": "organization", "id": str(id_of("8", number))},
            "operation": OPERATION,
            "quantity": "1",
            "user_id": str(id_of("9", number)),
            "workspace_id": str(id_of("a", number)),
        }
    )[1:-1]


def world_make(size: int) -> World:
    """Make it all through the services."""
    product = make_product("bench")
    credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=(_PRICE,))
    for number in range(size):
        _organization(number)
    FreeQuantity.objects.bulk_create(
        FreeQuantity(
            account_id=id_of("8", number),
            product=product,
            operation=OPERATION,
            month=now().date().replace(day=1),
            used=MICRO,
        )
        for number in range(size)
    )
    with connection.cursor() as cursor:
        # What autovacuum does after a while: plans made for empty tables would be kept.
        cursor.execute("ANALYZE")
    return World(size, make_token(product), product_context(product))


def _organization(number: int) -> None:
    organization, user = OrganizationId(id_of("8", number)), UserId(id_of("9", number))
    context = console_context(organization)
    wish = OrganizationParams(
        name=f"Organization {number}", kind=OrganizationKind.TEAM, owner_user_id=None, is_demo=False, time_zone="UTC"
    )
    organization_upsert(console_context(), organization_id=organization, params=wish)
    user_upsert(console_context(), user_id=user, email=f"user{number}@example.com", name=f"User {number}")
    member_upsert(context, organization_id=organization, user_id=user, role=MembershipRole.MEMBER)
    workspace_upsert(
        context, workspace_id=WorkspaceId(id_of("a", number)), organization_id=organization, name="Production"
    )
    product_relation_upsert(console_context(), organization_id=organization, product_slug="bench")
    terms = GrantParams(grant_type=GrantType.PURCHASED, amount=100_000_000 * MICRO)
    account = AccountRef(AccountType.ORGANIZATION, organization)
    credit_grant(context, key=f"grant-{number}", account=account, params=terms)
