"""Staff let an invoice go: it no longer counts against its organization (spec 04)."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.errors import ConflictError, UnprocessableError
from apps.core.ids import AuditTarget, OrganizationId
from apps.core.operations import require
from apps.payments.events import INVOICE_FORGIVEN
from apps.payments.models import ProviderInvoice
from apps.payments.status_sync import describe_invoice, open_invoices, sync_payment_status
from apps.subscriptions.rules.payment_transitions import CHANGE_OPERATION
from apps.subscriptions.selectors.records import payment_config_for_update
from apps.tenants.services.refusals import unknown_organization


@transaction.atomic
def invoice_forgive(
    context: ExecutionContext, *, organization_id: OrganizationId, invoice_id: UUID, reason: str
) -> ProviderInvoice:
    """Let the invoice go, and settle the payment status with what is left. The provider is not told.

    Raises `ForbiddenError`, `UnprocessableError` without a reason, `NotFoundError`, `ConflictError` for an invoice that
    does not count against the organization.
    """
    require(context, CHANGE_OPERATION)
    if not reason.strip():
        raise UnprocessableError("Say why this invoice need not be paid.")
    config = payment_config_for_update(organization_id)
    if config is None:
        raise unknown_organization(organization_id)
    invoice = open_invoices(organization_id).select_for_update().filter(pk=invoice_id).first()
    if invoice is None:
        raise ConflictError("This invoice does not count against the organization any more. Reload the page.")
    invoice.forgiven_at = clock.now()
    invoice.save(update_fields=["forgiven_at"])
    # What follows is the rules' doing, as after a payment; the entry below says whose word it rests on.
    machine = system_context(
        AuthorizationSource.SCHEDULER, name="invoice forgiven", request_id=context.request_id
    ).within(organization_id, is_demo=context.is_demo)
    sync_payment_status(machine, config, None)
    audit_append(
        context,
        INVOICE_FORGIVEN,
        AuditTarget("provider_invoice", invoice.pk, organization_id),
        after={"invoice": describe_invoice(invoice), "forgiven_at": invoice.forgiven_at},
        reason=reason,
    )
    return invoice
