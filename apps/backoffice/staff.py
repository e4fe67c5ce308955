"""The execution context of a request to the staff plane, and what it permits."""

from __future__ import annotations

from django.http import HttpRequest

from apps.core.context import ExecutionContext
from apps.core.errors import ForbiddenError, Reason
from apps.core.observability import current_request_id
from apps.core.operations import permits, require
from apps.tenants.access import staff_context
from apps.tenants.models import Organization, User

_ATTRIBUTE = "staff_context"


def context_of(request: HttpRequest, organization: Organization | None = None) -> ExecutionContext:
    """Return the context of the request, with the organization of the shown record if there is one.

    Raises `ForbiddenError` unless the user is verified staff with a platform role.
    """
    user = request.user
    if not isinstance(user, User):
        raise ForbiddenError("Sign in first.", explanation=[Reason("credential", "deny", "nobody is signed in")])
    return staff_context(user, organization=organization, request_id=current_request_id())


def viewer_of(request: HttpRequest) -> ExecutionContext | None:
    """Return the context for reading, or None without access. Roles are read once for each request."""
    # Each button and each entry of the navigation asks; without the attribute each would ask the database.
    if not hasattr(request, _ATTRIBUTE):
        try:
            viewer: ExecutionContext | None = context_of(request)
        except ForbiddenError:
            viewer = None
        setattr(request, _ATTRIBUTE, viewer)
    found: ExecutionContext | None = getattr(request, _ATTRIBUTE)
    return found


def may(request: HttpRequest, operation: str) -> bool:
    """Whether the user may do the operation."""
    viewer = viewer_of(request)
    return viewer is not None and permits(viewer, operation)


def require_may(request: HttpRequest, operation: str) -> None:
    """Raise `ForbiddenError`, which names the missing role, unless the user may do the operation."""
    viewer = viewer_of(request)
    require(viewer if viewer is not None else context_of(request), operation)


def acting_context(request: HttpRequest, operation: str, organization: Organization | None = None) -> ExecutionContext:
    """Return the context for a change, with roles read again; raises `ForbiddenError` unless it is permitted."""
    context = context_of(request, organization)
    require(context, operation)
    return context
