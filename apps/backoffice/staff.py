"""Who is at the staff plane, asked once a request: the execution context, and what it permits."""

from __future__ import annotations

from django.http import HttpRequest

from apps.core.context import ExecutionContext
from apps.core.errors import ForbiddenError, Reason
from apps.core.observability import current_request_id
from apps.tenants.access import permits, require, staff_context
from apps.tenants.models import Organization, User

_ATTRIBUTE = "staff_context"


def context_of(request: HttpRequest, organization: Organization | None = None) -> ExecutionContext:
    """The context in which the request acts; of the organization whose record the page shows, where there is one.

    Raises `ForbiddenError` for anyone but verified staff with a platform role.
    """
    user = request.user
    if not isinstance(user, User):
        raise ForbiddenError("Sign in first.", explanation=[Reason("credential", "deny", "nobody is signed in")])
    return staff_context(user, organization=organization, request_id=current_request_id())


def viewer_of(request: HttpRequest) -> ExecutionContext | None:
    """The context for looking at pages; None for anyone who may not be here. The roles are read once a request."""
    if not hasattr(request, _ATTRIBUTE):
        try:
            viewer: ExecutionContext | None = context_of(request)
        except ForbiddenError:
            viewer = None
        setattr(request, _ATTRIBUTE, viewer)
    found: ExecutionContext | None = getattr(request, _ATTRIBUTE)
    return found


def may(request: HttpRequest, operation: str) -> bool:
    """Whether whoever asks may do the operation."""
    viewer = viewer_of(request)
    return viewer is not None and permits(viewer, operation)


def require_may(request: HttpRequest, operation: str) -> None:
    """Raise `ForbiddenError`, which says what is missing, unless whoever asks may do the operation."""
    viewer = viewer_of(request)
    require(viewer if viewer is not None else context_of(request), operation)


def acting_context(request: HttpRequest, operation: str, organization: Organization | None = None) -> ExecutionContext:
    """The context for a change, with the roles read at this moment; raises `ForbiddenError` unless it is permitted."""
    context = context_of(request, organization)
    require(context, operation)
    return context
