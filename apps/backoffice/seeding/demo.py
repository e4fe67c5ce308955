"""The demo organization, which is replaced under the same slugs (spec 02, Demo tenants).

`ensure_demo` closes the old and creates the new one in one transaction, so that there is always one open demo.
`fill_demo` calls services that commit; each part is skipped if it exists, so that an interrupted fill can be repeated.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from apps.backoffice.seeding.connectors import seed_demo_connectors
from apps.backoffice.seeding.data import DEMO, DEMO_USERS, seed_id
from apps.backoffice.seeding.payments import seed_demo_payments
from apps.backoffice.seeding.subscriptions import seed_overlay
from apps.backoffice.seeding.tenants import seed_organization, seed_user
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.ids import OrganizationId, ProductId, WorkspaceId
from apps.core.locks import lock_name
from apps.credits.contracts import AccountRef, Consumption, Question
from apps.credits.enums import AccountType, GrantType
from apps.credits.models import CreditGrant
from apps.credits.selectors.policies import terms_in_force
from apps.credits.services import credit_grant, credits_consume
from apps.credits.services.grants import GrantParams
from apps.tenants.models import Organization, Product, Workspace
from apps.tenants.selectors.products import product_by_slug
from apps.tenants.services import organization_replace

REASON = "the demo begins anew"
DAYS, USES_A_DAY = 14, 3


def current_demo() -> Organization | None:
    """Return the open demo organization, if there is one."""
    return Organization.objects.filter(slug=DEMO.slug, is_demo=True, closed_at=None).first()


@transaction.atomic
def ensure_demo(context: ExecutionContext, *, made_since: datetime | None = None) -> Organization:
    """Return the open demo organization; replace one that was created before `made_since`.

    Without `made_since` an open one stays. Two concurrent calls create one.
    """
    lock_name("demo-organization")
    old = current_demo()
    if old is not None and (made_since is None or old.created_at >= made_since):
        return old
    if old is not None:
        inside = context.within(OrganizationId(old.pk), is_demo=True)
        organization_replace(inside, organization_id=OrganizationId(old.pk), reason=REASON)
    for user in DEMO_USERS:
        # Nobody signs in as one of them.
        seed_user(context, user, "")
    organization_id = OrganizationId(_free_id(Organization, f"organization:{DEMO.slug}"))
    workspace_ids = {slug: WorkspaceId(_free_id(Workspace, f"workspace:{slug}")) for slug, _ in DEMO.workspaces}
    seed_organization(context, DEMO, organization_id, workspace_ids)
    return Organization.objects.get(pk=organization_id)


def fill_demo(context: ExecutionContext, demo: Organization) -> None:
    """Add the lifecycle overlay, invoices, credits with entries, and connectors to the demo; existing parts stay."""
    organization_id = OrganizationId(demo.pk)
    inside = context.within(organization_id, is_demo=True)
    workspace = Workspace.objects.filter(organization=demo).order_by("created_at", "pk")[0]
    seed_overlay(inside, WorkspaceId(workspace.pk))
    seed_demo_payments(inside, demo.pk, DEMO.owner)
    _fill_credits(inside, workspace)
    seed_demo_connectors(inside, WorkspaceId(workspace.pk))


def _free_id(model: type[Organization | Workspace], name: str) -> uuid.UUID:
    """The fixed sample id if it is free, else a new one."""
    fixed = seed_id(name)
    return uuid.uuid4() if model.objects.filter(pk=fixed).exists() else fixed


def _fill_credits(context: ExecutionContext, workspace: Workspace) -> None:
    account = AccountRef(AccountType.ORGANIZATION, workspace.organization_id)
    now = clock.now()
    if not CreditGrant.objects.filter(account_id=account.id).exists():
        with clock.as_of(now - timedelta(days=DAYS)):
            plan = GrantParams(
                GrantType.PLAN, 300 * MICRO, 50, expires_at=now + timedelta(days=16), note="Plan of the month"
            )
            bonus = GrantParams(GrantType.BONUS, 50 * MICRO, 200, expires_at=now + timedelta(days=60), note="Welcome")
            for name, params in (("plan", plan), ("bonus", bonus)):
                credit_grant(context, key=f"demo-{name}-{account.id}", account=account, params=params)
    products = [product for slug in DEMO.products if (product := product_by_slug(slug)) is not None]
    for product in products:
        _consume_weeks(context, product, account, workspace)


def _consume_weeks(context: ExecutionContext, product: Product, account: AccountRef, workspace: Workspace) -> None:
    """Consume two weeks of the product's operations, oldest first; the keys make a repeated call harmless."""
    now = clock.now()
    terms = terms_in_force(product.pk, now)
    operations = sorted(terms.prices) if terms is not None else []
    caller = replace(context, product_id=ProductId(product.pk))
    for place in range(DAYS * USES_A_DAY if operations else 0):
        operation = operations[place % len(operations)]
        person = DEMO_USERS[place % len(DEMO_USERS)].email
        ago = timedelta(days=DAYS - 1 - place // USES_A_DAY, hours=9 - place % USES_A_DAY * 3, minutes=11 * place % 60)
        question = Question(account, operation, (1 + place % 3) * MICRO, seed_id(person), workspace.pk)
        key = f"demo-{account.id}-{place}"
        item = Consumption(key, question, "succeeded", now - ago, run_id=f"demo-run-{100 + place}")
        # A policy may be younger than the use, or a run dearer than what is left: then the demo has one entry less.
        with clock.as_of(now - ago + timedelta(seconds=40)), suppress(CountinghouseError):
            credits_consume(caller, consumption=item)
