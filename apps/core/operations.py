"""The operation registry: what each operation needs, and whether a context has it (spec 02).

Pages, API, admin and tasks all ask here. Each app registers its own in `apps/<app>/operations.py`, which Django loads
at its start, before jobs and views. A route that names no operation fails the access-table test.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.context import ExecutionContext
from apps.core.enums import AuthorizationSource, LifecycleNeed, Role, Scope
from apps.core.errors import ForbiddenError, Reason
from apps.core.registry import Registry

# Highest first. A role reaches every gate at or below its own place; roles of the two ladders never compare.
TENANT_LADDER: tuple[Role, ...] = (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER)
PLATFORM_LADDER: tuple[Role, ...] = (Role.PLATFORM_ADMIN, Role.BILLING_OPERATIONS, Role.SUPPORT)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done, its least roles, its token scope and its lifecycle need.

    `allows` says it in words that fit behind "You can't"; jobs need none. None as a role or scope means that nobody of
    that kind may. Whoever holds a visit's link for five minutes must not be able to stay (spec 02, How people sign in):
    `allowed_in_visit` is false for what changes members, credentials and accounts.
    """

    name: str
    tenant_role: Role | None = None
    platform_role: Role | None = None
    scope: Scope | None = None
    lifecycle: LifecycleNeed = LifecycleNeed.NOTHING
    allowed_in_visit: bool = True
    allows: str = ""

    @property
    def is_reading(self) -> bool:
        """Whether it changes nothing. The name says it; a test compares that with the methods of the pages."""
        return self.name.endswith((".read", ".export"))


OPERATIONS: Registry[Operation] = Registry("operation")


def register_operations(*operations: Operation) -> None:
    """Add an app's operations; each name is registered once, and each role stands on its own ladder."""
    for operation in operations:
        if operation.tenant_role not in {None, *TENANT_LADDER}:
            raise RuntimeError(f"{operation.name}: {operation.tenant_role!r} is not a tenant role.")
        if operation.platform_role not in {None, *PLATFORM_LADDER}:
            raise RuntimeError(f"{operation.name}: {operation.platform_role!r} is not a platform role.")
        if not operation.allowed_in_visit and operation.tenant_role is None:
            raise RuntimeError(f"{operation.name}: only an operation with a tenant role can be refused in a visit.")
        OPERATIONS.register(operation.name, operation)


def reaches(role: Role, gate: Role | None) -> bool:
    """Whether `role` stands at or above `gate` on the gate's own ladder."""
    for ladder in (TENANT_LADDER, PLATFORM_LADDER):
        if gate in ladder:
            return role in ladder and ladder.index(role) <= ladder.index(gate)
    return False


# Our own callers. They reach every service; what they run is decided by whoever configured them.
_INTERNAL = frozenset(
    {AuthorizationSource.SCHEDULER, AuthorizationSource.CONSOLE, AuthorizationSource.WEBHOOK_SIGNATURE}
)


def permits(context: ExecutionContext, operation_name: str) -> bool:
    """Whether the context's role, or its token's scope, reaches the operation's gate."""
    return _find_denial(context, OPERATIONS[operation_name]) is None


def require(context: ExecutionContext, operation_name: str) -> None:
    """Raise `ForbiddenError` unless the context may.

    Its sentence is for people: what is refused, who can do it and what helps. Its explanation is for programs: the
    rule, and the missing role or scope.
    """
    operation = OPERATIONS[operation_name]
    reason = _find_denial(context, operation)
    if reason is not None:
        raise ForbiddenError(_describe_denial(context, operation, reason), explanation=(reason,))


def _find_denial(context: ExecutionContext, operation: Operation) -> Reason | None:
    if context.authorization_source in _INTERNAL:
        return None
    if context.authorization_source in {AuthorizationSource.SERVICE_TOKEN, AuthorizationSource.CRON_TOKEN}:
        if operation.scope in context.scopes:
            return None
        needed = operation.scope.value if operation.scope else "no token may do this"
        return Reason("token_scope", "deny", f"the token lacks the scope {needed}" if operation.scope else needed)
    if context.is_visit and not operation.allowed_in_visit:
        return Reason("portal_session", "deny", "a visit from a product can't change this; sign in here yourself")
    # Staff who look into a tenant see what a viewer sees, and change nothing.
    role = Role.VIEWER if context.role is Role.STAFF_READER else context.role
    if reaches(role, operation.tenant_role) or reaches(role, operation.platform_role):
        is_refused = context.is_impersonated and not operation.is_reading
        return Reason("impersonation", "deny", "staff who view as a member change nothing") if is_refused else None
    gates = [gate.value for gate in (operation.tenant_role, operation.platform_role) if gate is not None]
    needed = " or ".join(gates) if gates else "a service token"
    return Reason("role", "deny", f"the role is {context.role.value}, the operation needs {needed}")


def _describe_denial(context: ExecutionContext, operation: Operation, reason: Reason) -> str:
    action = operation.allows or ("start this job" if operation.name.startswith("jobs.") else "do this")
    if reason.rule == "token_scope":
        return f"With this token you can't {action}: {reason.fact}."
    if reason.rule == "portal_session":
        return f"You can't {action} on a visit from a product. Sign in here with your own account, then try again."
    if reason.rule == "impersonation":
        return f"This member could {action}. You can't: staff who view as a member change nothing."
    return f"You can't {action} with the role {context.role.label}. {_describe_remedy(context.role, operation)}"


def _describe_remedy(role: Role, operation: Operation) -> str:
    """Whom to ask. Names roles and no people: who refuses does not know who is there."""
    tenant, platform = operation.tenant_role, operation.platform_role
    if role is Role.STAFF_READER:
        return "Staff can only look at these pages. Use the staff pages to change something for this organization."
    if role in PLATFORM_LADDER and platform is not None:
        above = " or a higher one" if platform != PLATFORM_LADDER[0] else ""
        return f"It takes the role {platform.label}{above}: ask a colleague who has it."
    if tenant is not None:
        above = " or an owner" if tenant != TENANT_LADDER[0] else ""
        return f"Ask {'an' if tenant.label[0] in 'AO' else 'a'} {tenant.label.lower()}{above} of the organization."
    if platform is not None:
        return "Only our billing team can: contact them."
    return "Only a product can, with a service token."


register_operations(
    Operation("audit.read", platform_role=Role.SUPPORT, allows="read the audit log"),
    Operation("outbox.read", platform_role=Role.SUPPORT, allows="see outgoing calls"),
    Operation("outbox.retry", platform_role=Role.BILLING_OPERATIONS, allows="send outgoing calls again"),
    Operation("outbox.dismiss", platform_role=Role.BILLING_OPERATIONS, allows="give up outgoing calls"),
    Operation("jobs.read", tenant_role=Role.ADMIN, platform_role=Role.SUPPORT, scope=Scope.JOBS_RUN, allows="see jobs"),
    # The job endpoint's own gate; each job has a narrower one of its own.
    Operation(
        "jobs.start",
        tenant_role=Role.ADMIN,
        platform_role=Role.BILLING_OPERATIONS,
        scope=Scope.JOBS_RUN,
        allows="start jobs",
    ),
    Operation("jobs.drain_outbox", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.purge_history", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.purge_payloads", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
