"""May the caller do what this route does? Asked of the operation registry before the body is read."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.errors import UnauthenticatedError
from apps.core.observability import current_request_id
from apps.tenants.access import api_context, require
from apps.tenants.contracts import CronCaller, Person, ProductCaller


class HoldsScope(BasePermission):
    """The token's scope reaches the operation that the view names for this method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        operation = getattr(view, "operations", {}).get(request.method)
        if operation is None:
            # Not one of the view's methods: DRF answers 405.
            return True
        if not isinstance(request.auth, ProductCaller | CronCaller):
            raise UnauthenticatedError("Send a service token: Authorization: Bearer <token>.")
        require(api_context(request.auth, request_id=current_request_id()), operation)
        return True


class CronOrAuthenticated(BasePermission):
    """Some caller is known: a cron token or a signed-in user. Which job they may start depends on the job's gate."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, CronCaller | ProductCaller | Person):
            return True
        raise UnauthenticatedError("Send a cron token (Authorization: Bearer <token>), or sign in.")
