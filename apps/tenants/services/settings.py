"""What an organization's own admins may change about it on its Settings page."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.emails import EmailAddressError, canonical_email
from apps.core.errors import FieldError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.operations import require
from apps.tenants import billing_contact, events
from apps.tenants.models import Organization
from apps.tenants.models.organizations import validate_time_zone
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.organizations import guard_zone_of_database
from apps.tenants.services.refusals import unknown_organization
from apps.tenants.services.results import change, values_of

SETTINGS_OPERATION = "settings.change"
BILLING_EMAIL_OPERATION = "billing_email.change"


@transaction.atomic
def organization_settings_change(
    context: ExecutionContext, *, organization_id: OrganizationId, time_zone: str
) -> Organization:
    """Set the organization's time zone; no change writes no audit entry.

    Raises `ForbiddenError` below the role admin, `UnprocessableError` for a zone that the IANA database or our own does
    not know, `NotFoundError` `unknown_organization`, also for an organization other than the context's.
    """
    require(context, SETTINGS_OPERATION)
    _guard_time_zone(time_zone)
    if context.organization_id != organization_id:
        raise unknown_organization(organization_id)
    organization = organization_for_update(organization_id)
    if organization is None:
        raise unknown_organization(organization_id)
    if time_zone != organization.time_zone:
        guard_zone_of_database(time_zone)
    before = values_of(organization, "time_zone")
    if change(organization, time_zone=time_zone):
        audit_append(
            context,
            events.ORGANIZATION_CHANGED,
            organization.audit_target,
            before=before,
            after=values_of(organization, "time_zone"),
        )
    return organization


@transaction.atomic
def billing_email_change(
    context: ExecutionContext, *, organization_id: OrganizationId, billing_email: str
) -> Organization:
    """Set where payment providers send invoices; empty: to an owner. Customers that there are follow.

    Raises `ForbiddenError` below the role owner, `UnprocessableError` for what is no address, `NotFoundError`
    `unknown_organization`, also for an organization other than the context's.
    """
    require(context, BILLING_EMAIL_OPERATION)
    address = _address(billing_email)
    organization = organization_for_update(organization_id) if context.organization_id == organization_id else None
    if organization is None:
        raise unknown_organization(organization_id)
    before = values_of(organization, "billing_email")
    if change(organization, billing_email=address):
        after = values_of(organization, "billing_email")
        audit_append(context, events.ORGANIZATION_CHANGED, organization.audit_target, before=before, after=after)
        billing_contact.tell(context, organization_id, is_changed=True)
    return organization


def _address(text: str) -> str:
    if not text.strip():
        return ""
    try:
        return canonical_email(text.strip())
    except EmailAddressError as error:
        sentence = f"The address {error}"
        raise UnprocessableError(sentence, errors=[FieldError("billing_email", "not_an_email", sentence)]) from None


def _guard_time_zone(time_zone: str) -> None:
    try:
        validate_time_zone(time_zone)
    except ValidationError as error:
        sentence = " ".join(error.messages)
        raise UnprocessableError(sentence, errors=[FieldError("time_zone", "unknown_time_zone", sentence)]) from None
