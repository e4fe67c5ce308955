"""What people type into a form when they mean a record."""

from __future__ import annotations

from uuid import UUID

from apps.core.errors import UnprocessableError
from apps.tenants.models import Organization


def organization_named(text: str) -> Organization:
    """The organization with this id or slug; raises `UnprocessableError` when there is none."""
    named = text.strip().lower()
    try:
        found = Organization.objects.filter(pk=UUID(named)).first()
    except ValueError:
        found = Organization.objects.filter(slug=named).first()
    if found is None:
        raise UnprocessableError(f"There is no organization {named!r}. Its id and slug are on its page.")
    return found
