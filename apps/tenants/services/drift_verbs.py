"""What staff do about one piece of drift: take over the product's side, ignore it, or tell the product (spec 02)."""

from __future__ import annotations

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole
from apps.core.errors import ConflictError, FieldError, NotFoundError, UnprocessableError
from apps.core.free_text import stored_form
from apps.core.ids import MembershipDriftId, OrganizationId, UserId
from apps.core.operations import require
from apps.tenants import events
from apps.tenants.enums import DriftClass, DriftResolution, ReportedMembership
from apps.tenants.models import MembershipDrift
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.members import member_remove, member_upsert
from apps.tenants.services.results import values_of

RESOLVE_OPERATION = "membership_drift.resolve"
# Why the product's side can't be taken over, and what to do first.
_NOT_IMPORTABLE = {
    DriftClass.UNKNOWN_USER: "This user does not exist here. The product has to send them first: POST users:upsert.",
    DriftClass.UNKNOWN_ORGANIZATION: "This organization does not exist here. The product has to send it first: "
    "POST organizations:upsert.",
    DriftClass.NOT_RELATED: "The product has no access to this organization. Relate the two on the product's page "
    "first.",
    DriftClass.DUPLICATE_IDENTITY: "The product knows this e-mail address under another user id. It has to correct its "
    "own records first.",
}


def import_refusal(drift: MembershipDrift) -> str:
    """Why the product's side of this can't be taken over; empty where it can."""
    return _NOT_IMPORTABLE.get(DriftClass(drift.drift_class), "")


@transaction.atomic
def drift_import(context: ExecutionContext, *, drift_id: MembershipDriftId, reason: str) -> str:
    """Make our side as the product says: add, change or remove the membership. Returns what was done, as a sentence.

    A remembered removal and an owner are no obstacle for a person. Raises `ForbiddenError`, `NotFoundError`,
    `ConflictError` (also `last_owner`), `UnprocessableError`.
    """
    drift = _drift_for_update(context, drift_id, reason)
    refusal = import_refusal(drift)
    if refusal:
        raise ConflictError(refusal, code="drift_not_importable", title="Not possible yet")
    before = values_of(drift, "drift_class", "reported", "our_role")
    _audit(context, drift, before, {"resolution": "imported"}, reason)
    organization_id, user_id = OrganizationId(drift.organization_id), UserId(drift.user_id)
    # First the list: the services drop the drift of a membership that they change.
    MembershipDrift.objects.filter(pk=drift.pk).delete()
    if drift.reported in {ReportedMembership.REMOVED, ReportedMembership.ABSENT}:
        member_remove(context, organization_id=organization_id, user_id=user_id, reason=reason)
        return "The membership was removed here too."
    role = MembershipRole(drift.reported)
    outcome = member_upsert(context, organization_id=organization_id, user_id=user_id, role=role)
    if not outcome.is_applied:
        raise ConflictError("There is newer news of this membership here. Look at the organization's members.")
    return f"The person is now {role.label.lower()} here too."


@transaction.atomic
def drift_settle(
    context: ExecutionContext, *, drift_id: MembershipDriftId, resolution: DriftResolution, reason: str
) -> MembershipDrift:
    """Note that the difference is right as it is, or that the product was told. It holds while the difference does.

    Raises `ForbiddenError`, `NotFoundError`, `UnprocessableError`.
    """
    drift = _drift_for_update(context, drift_id, reason)
    before = values_of(drift, "resolution", "resolution_reason")
    drift.resolution = resolution
    drift.resolution_reason = stored_form(MembershipDrift, "resolution_reason", reason)
    drift.resolved_by, drift.resolved_at = context.actor.label, clock.now()
    drift.save(update_fields=["resolution", "resolution_reason", "resolved_by", "resolved_at"])
    _audit(context, drift, before, values_of(drift, "drift_class", "resolution", "resolution_reason"), reason)
    return drift


def _drift_for_update(context: ExecutionContext, drift_id: MembershipDriftId, reason: str) -> MembershipDrift:
    require(context, RESOLVE_OPERATION)
    if not reason.strip():
        raise UnprocessableError("Say why.", errors=[FieldError("reason", "blank", "Say why.")])
    found = MembershipDrift.objects.filter(pk=drift_id).values_list("organization_id", flat=True).first()
    if found is not None:
        # In the order of every service: the organization before its memberships, and their drift.
        organization_for_update(OrganizationId(found))
    drift = MembershipDrift.objects.select_for_update(no_key=True, of=("self",)).filter(pk=drift_id).first()
    if drift is None:
        raise NotFoundError("This difference is gone: the two sides agree now, or it was resolved.")
    return drift


def _audit(
    context: ExecutionContext, drift: MembershipDrift, before: dict[str, object], after: dict[str, object], reason: str
) -> None:
    target = drift.audit_target
    if drift.drift_class == DriftClass.UNKNOWN_ORGANIZATION:
        # An organization that does not exist has no chain of its own: it goes to the platform's.
        target = type(target)(target.kind, target.id)
    values = {**after, "user_id": str(drift.user_id), "product_id": str(drift.product_id)}
    audit_append(context, events.DRIFT_RESOLVED, target, before=before, after=values, reason=reason)
