"""Reconciliation runs: asked for, confirmed or discarded. `apps.tenants.reconciliation` carries them out."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.crypto import SealError
from apps.core.errors import ConflictError, FieldError, NotFoundError, UnavailableError, UnprocessableError
from apps.core.free_text import stored_form
from apps.core.ids import ProductId, ReconciliationRunId
from apps.core.operations import require
from apps.core.outgoing import RefusedAddressError
from apps.core.outgoing.addresses import checked_url
from apps.core.wakeups import wake_after_commit
from apps.tenants import events
from apps.tenants.enums import ReconciliationStage, ReconciliationStatus, ReportSource
from apps.tenants.export_keys import seal_export_key
from apps.tenants.models import Product, ReconciliationRun
from apps.tenants.models.reconciliation import ACTIVE
from apps.tenants.selectors.products import product_for_update
from apps.tenants.services.results import values_of

RUN_OPERATION = "reconciliation.run"
RUN_TASK = "tenants.reconcile_memberships"
# After this a queued run is handed out again: its message was lost.
QUEUE_LEASE = timedelta(minutes=5)
_LONGEST_URL, _LONGEST_KEY = 200, 1_000


@transaction.atomic
def product_export_change(
    context: ExecutionContext, *, product_id: ProductId, url: str, key: str, reason: str
) -> Product:
    """Say where the product's members are read, and with which bearer key; without a URL they are not.

    An empty key keeps the one that is there, unless the address changes: a key is never sent elsewhere.
    Raises `ForbiddenError`, `NotFoundError`, `UnprocessableError`, and `UnavailableError` where no key can be sealed.
    """
    require(context, "products.manage")
    product = _locked(product_id)
    _check_export(product, url, key)
    before = values_of(product, "membership_export_url")
    had_key, is_moved = product.sealed_export_key is not None, url != product.membership_export_url
    product.membership_export_url = url
    if not url or (is_moved and not key):
        product.sealed_export_key = None
    if url and key:
        try:
            product.sealed_export_key = seal_export_key(product.pk, key)
        except SealError as error:
            raise UnavailableError(str(error)) from None
    product.save(update_fields=["membership_export_url", "sealed_export_key"])
    has_key = product.sealed_export_key is not None
    audit_append(
        context,
        events.MEMBERSHIP_EXPORT_CHANGED,
        product.audit_target,
        before={**before, "is_keyed": had_key},
        after={**values_of(product, "membership_export_url"), "is_keyed": has_key, "is_key_new": bool(key)},
        reason=reason,
    )
    return product


def _check_export(product: Product, url: str, key: str) -> None:
    if url:
        try:
            checked_url(url)
        except RefusedAddressError as error:
            raise _refused("url", str(error)) from None
    if len(url) > _LONGEST_URL:
        raise _refused("url", "The address is longer than 200 characters.")
    if len(key) > _LONGEST_KEY or not key.isascii() or any(letter.isspace() for letter in key) or not key.isprintable():
        raise _refused("key", "The key must be ASCII text without blanks, of at most 1,000 characters.")
    if key and not url:
        raise _refused("url", "A key needs the address that it is for.")


def _refused(field: str, sentence: str) -> UnprocessableError:
    return UnprocessableError(sentence, errors=[FieldError(field, "impossible_value", sentence)])


@transaction.atomic
def reconciliation_request(context: ExecutionContext, *, product_id: ProductId, reason: str = "") -> ReconciliationRun:
    """Queue a run that reads the product's export; one that is queued or running already is the answer.

    Raises `ForbiddenError`, `NotFoundError`, and `ConflictError` `no_membership_export` for a product without one.
    """
    require(context, RUN_OPERATION)
    product = _locked(product_id)
    if not product.membership_export_url:
        raise ConflictError(
            f"{product.name} has no membership export. Set its address on the product's page, or have the product push "
            "a snapshot: POST membership-snapshots.",
            code="no_membership_export",
            title="No membership export",
        )
    active = ReconciliationRun.objects.filter(product=product, source=ReportSource.EXPORT, status__in=ACTIVE).first()
    if active is not None:
        return active
    now = clock.now()
    run = ReconciliationRun.objects.create(
        id=uuid.uuid4(),
        product=product,
        source=ReportSource.EXPORT,
        status=ReconciliationStatus.QUEUED,
        lease_expires_at=clock.real_now() + QUEUE_LEASE,
        requested_by=context.actor.label,
        created_at=now,
    )
    audit_append(
        context, events.RECONCILIATION_REQUESTED, product.audit_target, after={"run": str(run.pk)}, reason=reason
    )
    wake_after_commit(RUN_TASK, str(run.pk))
    return run


@transaction.atomic
def reconciliation_confirm(context: ExecutionContext, *, run_id: ReconciliationRunId, reason: str) -> ReconciliationRun:
    """Merge a report that stopped: a person has looked at why, and says that it is right.

    Raises `ForbiddenError`, `NotFoundError`, `ConflictError` where it does not wait.
    """
    run = _decide(context, run_id, reason)
    run.status, run.stage = ReconciliationStatus.QUEUED, ReconciliationStage.JUDGE
    run.confirmed_at, run.lease_expires_at = clock.now(), clock.real_now() + QUEUE_LEASE
    run.merged_organization_id, run.merged_user_id, run.counts = None, None, {}
    # As a run that nobody has claimed, it is due at once.
    run.claims = 0
    run.save()
    wake_after_commit(RUN_TASK, str(run.pk))
    return run


@transaction.atomic
def reconciliation_discard(context: ExecutionContext, *, run_id: ReconciliationRunId, reason: str) -> ReconciliationRun:
    """Drop a report that stopped. Raises as `reconciliation_confirm`."""
    run = _decide(context, run_id, reason)
    run.status, run.finished_at = ReconciliationStatus.DISCARDED, clock.now()
    run.save()
    return run


def _decide(context: ExecutionContext, run_id: ReconciliationRunId, reason: str) -> ReconciliationRun:
    require(context, RUN_OPERATION)
    if not reason.strip():
        raise UnprocessableError("Say why.", errors=[FieldError("reason", "blank", "Say why.")])
    run = ReconciliationRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    if run is None:
        raise NotFoundError(f"There is no reconciliation run {run_id}.")
    if run.status != ReconciliationStatus.WAITING:
        raise ConflictError(f"This run does not wait for anybody: it is {run.get_status_display().lower()}.")
    run.decided_by = context.actor.label
    run.decision_reason = stored_form(ReconciliationRun, "decision_reason", reason)
    audit_append(
        context,
        events.RECONCILIATION_DECIDED,
        run.audit_target,
        before={"status": run.status, "stop_reason": run.stop_reason},
        after={"counts": run.counts},
        reason=reason,
    )
    return run


def _locked(product_id: ProductId) -> Product:
    product = product_for_update(product_id)
    if product is None:
        raise NotFoundError(f"There is no product {product_id}.")
    return product
