"""Whether a context may do an operation: asked of the operation registry alone (spec 02)."""

from __future__ import annotations

from apps.core.context import ExecutionContext
from apps.core.enums import AuthorizationSource, Role
from apps.core.errors import ForbiddenError, Reason
from apps.core.operations import OPERATIONS, Operation, reaches

# Callers inside our own walls. They reach every service; what they run is decided by who configured them.
_INSIDE = frozenset({AuthorizationSource.SCHEDULER, AuthorizationSource.CONSOLE, AuthorizationSource.WEBHOOK_SIGNATURE})


def permits(context: ExecutionContext, operation_name: str) -> bool:
    """Whether the context's role, or its token's scope, reaches the operation's gate."""
    return _refusal(context, OPERATIONS[operation_name]) is None


def require(context: ExecutionContext, operation_name: str) -> None:
    """Raise `ForbiddenError` with the rule and the missing role or scope, unless the context may."""
    reason = _refusal(context, OPERATIONS[operation_name])
    if reason is not None:
        raise ForbiddenError(
            f"{context.actor.label} may not do {operation_name}: {reason.fact}.", explanation=(reason,)
        )


def _refusal(context: ExecutionContext, operation: Operation) -> Reason | None:
    if context.authorization_source in _INSIDE:
        return None
    if context.authorization_source in {AuthorizationSource.SERVICE_TOKEN, AuthorizationSource.CRON_TOKEN}:
        if operation.scope is not None and operation.scope in context.scopes:
            return None
        needed = operation.scope.value if operation.scope else "no token may do this"
        return Reason("token_scope", "deny", f"the token lacks the scope {needed}" if operation.scope else needed)
    if context.is_visit and not operation.allowed_in_visit:
        return Reason("portal_session", "deny", "a visit from a product can't change this; sign in here yourself")
    # Staff who look into a tenant see what a viewer sees, and change nothing.
    role = Role.VIEWER if context.role is Role.STAFF_READER else context.role
    if reaches(role, operation.tenant_role) or reaches(role, operation.platform_role):
        return None
    gates = [gate.value for gate in (operation.tenant_role, operation.platform_role) if gate is not None]
    needed = " or ".join(gates) if gates else "a service token"
    return Reason("role", "deny", f"the role is {context.role.value}, the operation needs {needed}")
