"""Rows of the records that a cutover leaves, as the product makes them."""

from __future__ import annotations

import uuid

from apps.core.ids import ProductId
from apps.credits.enums import DisagreementClass
from apps.credits.models import BalanceImport, DifferenceMark
from apps.credits.services import balance_import_create, differences_explain
from apps.tenants.models import CutoverRun
from apps.tenants.services import cutover_run_request
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_product


def make_balance_import() -> BalanceImport:
    """A file that waits for its start."""
    organization = make_organization()
    product = make_product(f"product-{uuid.uuid4().hex[:8]}", organization)
    head = "account_type,account_id,balance,external_ref"
    return balance_import_create(
        console_context(),
        product_id=ProductId(product.pk),
        data=f"{head}\norganization,{organization.pk},12.5,wallet-1\n".encode(),
        file_name="<b>balances</b>.csv",
        is_update=False,
        reason="the cutover",
    )


def make_difference_mark() -> DifferenceMark:
    product = make_product(f"product-{uuid.uuid4().hex[:8]}", make_organization())
    return differences_explain(
        console_context(),
        product_id=ProductId(product.pk),
        difference=DisagreementClass.BALANCE,
        operation="<b>scan</b>",
        covers_coming=True,
        reason="Balances are brought over on the day of the cutover.",
    )


def make_cutover_run() -> CutoverRun:
    """A check that waits for its worker."""
    product = make_product(f"product-{uuid.uuid4().hex[:8]}", make_organization())
    return cutover_run_request(
        console_context(),
        product_id=ProductId(product.pk),
        base_url="http://localhost:8000/<b>",
        reason="the cutover",
    )
