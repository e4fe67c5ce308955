"""Refusals that more than one service of tenants gives, in the same words."""

from __future__ import annotations

from uuid import UUID

from apps.core.emails import EmailAddressError, canonical_email
from apps.core.errors import ConflictError, FieldError, NotFoundError, Reason, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.tenants.closing_rules import REOPEN_WITHIN
from apps.tenants.models import Organization


def unknown_organization(organization_id: OrganizationId) -> NotFoundError:
    """No such organization; the call that makes one is named."""
    return NotFoundError(
        f"There is no organization {organization_id}. Make it first: POST organizations:upsert.",
        code="unknown_organization",
        title="Unknown organization",
    )


def require_open(organization_id: UUID) -> None:
    """Raise `ConflictError` `organization_closed` where nothing may be changed any more; lock what is changed first."""
    closed_at = Organization.objects.filter(pk=organization_id).values_list("closed_at", flat=True).first()
    if closed_at is not None:
        fact = f"the organization was closed on {closed_at.day} {closed_at:%B %Y}"
        raise ConflictError(
            f"Nothing can be changed here: {fact}. Our billing team can reopen it within {REOPEN_WITHIN.days} days.",
            code="organization_closed",
            title="The organization is closed",
            explanation=[Reason("organization_closed", "deny", fact, f"organization:{organization_id}")],
        )


def unknown_user(field: str, user_id: UserId) -> UnprocessableError:
    """A user id in the body that was never upserted; it names the field and the call that mends it."""
    sentence = f"There is no user {user_id}. Send it first: POST users:upsert."
    return UnprocessableError(
        sentence,
        code="unknown_user",
        title="Unknown user",
        errors=[FieldError(field=field, code="unknown_user", message=sentence)],
    )


def read_email(email: str) -> str:
    """The one spelling of the mailbox; raises `UnprocessableError` `not_an_email` for anything else."""
    try:
        return canonical_email(email)
    except EmailAddressError as error:
        message = str(error)
        refusal = FieldError(field="email", code="not_an_email", message=message)
        raise UnprocessableError(f"email: {message}", errors=[refusal]) from error
