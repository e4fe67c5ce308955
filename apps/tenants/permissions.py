"""May the caller do what this route does? Asked of the operation registry before the body is read."""

from __future__ import annotations

from collections.abc import Mapping

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.errors import ForbiddenError, Reason, UnauthenticatedError
from apps.core.observability.requests import current_request_id
from apps.core.operations import require
from apps.tenants.access import api_context
from apps.tenants.contracts import CronCaller, Person, ProductCaller


def operation_name(request: Request, view: APIView) -> str | None:
    """The operation that the view names for the method; None for a method that it has not, which is answered 405."""
    operations: Mapping[str, str] = getattr(view, "operations", {})
    return operations.get(request.method or "")


class HoldsScope(BasePermission):
    """The token's scope reaches the operation that the view names for this method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        operation = operation_name(request, view)
        if operation is None:
            return True
        if not isinstance(request.auth, ProductCaller | CronCaller):
            raise UnauthenticatedError("Send a service token: Authorization: Bearer <token>.")
        require(api_context(request.auth, request_id=current_request_id()), operation)
        return True


class CronOrAuthenticated(BasePermission):
    """Some caller is known: a cron token or a signed-in user. Which job they may start depends on the job's gate."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if operation_name(request, view) is None or isinstance(request.auth, CronCaller | Person):
            return True
        if isinstance(request.auth, ProductCaller):
            record = f"service_token:{request.auth.token_id}"
            raise ForbiddenError(
                "Jobs are started by a cron token or by a signed-in user, not by a product.",
                explanation=[Reason("credential", "deny", "a product token was shown", record)],
            )
        raise UnauthenticatedError("Send a cron token (Authorization: Bearer <token>), or sign in.")
