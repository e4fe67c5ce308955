"""One cutover check of a product from beginning to end (spec 02, Cutover)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta

from apps.backoffice.cutover.drive import Stage, drive
from apps.backoffice.cutover.figures import data_lines
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, ProductId, ServiceTokenId
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, GrantType
from apps.credits.selectors.drift import shadow_figures
from apps.credits.selectors.policies import terms_in_force
from apps.credits.services import credit_grant
from apps.credits.services.grants import GrantParams
from apps.tenants.billing_modes import CheckFacts
from apps.tenants.enums import TokenKind
from apps.tenants.models import CutoverCheck, Organization, Product
from apps.tenants.services import service_token_create, service_token_revoke
from apps.tenants.services.cutover import (
    CheckLine,
    cutover_check_store,
    cutover_stage_close,
    cutover_stage_open,
    cutover_stages_close_stale,
)

TOKEN_LASTS = timedelta(minutes=10)
_CREDITS = 100


def cutover_check_run(
    context: ExecutionContext,
    *,
    product: Product,
    base_url: str,
    note: Callable[[CheckLine], object] = lambda line: None,
) -> CutoverCheck:
    """Drive the API at the address, look at the product's data, and keep the result. It closes what it made.

    `note` is told each line as it is found. What a check left whose process was killed is closed first.
    """
    started_at = clock.now()
    cutover_stages_close_stale(context, product=product)
    shadow = shadow_figures(ProductId(product.pk))
    lines: list[CheckLine] = []
    for line in itertools.chain(_drive(context, product, base_url), data_lines(product, shadow, started_at)):
        lines.append(line)
        note(line)
    facts = CheckFacts(
        finished_at=clock.now(),
        has_passed=not any(line.outcome == "failed" for line in lines),
        days=shadow.days,
        compared=shadow.compared,
        agreed=shadow.agreed,
        unexplained_amounts=shadow.unexplained_amounts,
    )
    return cutover_check_store(
        context, product=product, lines=lines, facts=facts, base_url=base_url, started_at=started_at
    )


def _drive(context: ExecutionContext, product: Product, base_url: str) -> Iterator[CheckLine]:
    terms = terms_in_force(product.pk, clock.now())
    if terms is None or not terms.prices:
        yield CheckLine("A member's way through the API", "failed", "No policy is published, so nothing can be run.")
        return
    token, text = service_token_create(
        context,
        kind=TokenKind.PRODUCT,
        product_id=ProductId(product.pk),
        name="cutover check",
        expires_at=clock.now() + TOKEN_LASTS,
    )
    try:
        organization = cutover_stage_open(context, product=product)
        try:
            _grant(context, organization)
            stage = Stage(base_url, text, organization.pk, min(terms.prices))
            yield from drive(stage)
        finally:
            cutover_stage_close(context, organization_id=OrganizationId(organization.pk))
    finally:
        service_token_revoke(context, token_id=ServiceTokenId(token.pk), reason="the cutover check is over")


def _grant(context: ExecutionContext, organization: Organization) -> None:
    credit_grant(
        context.within(OrganizationId(organization.pk), is_demo=False),
        key=f"cutover-check:{organization.pk}",
        account=AccountRef(AccountType.ORGANIZATION, organization.pk),
        params=GrantParams(GrantType.TRIAL, _CREDITS * MICRO, note="for a cutover check"),
    )
