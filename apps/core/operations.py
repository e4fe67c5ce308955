"""The operation registry: what each operation needs. Pages, API, admin and tasks all ask it (spec 02).

Each app registers its own in `apps/<app>/operations.py`, which Django loads at its start, before jobs and views. A
route that names no operation fails the access-table test.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.enums import LifecycleNeed, Role, Scope
from apps.core.registry import Registry

# Highest first. A role reaches every gate at or below its own place; roles of the two ladders never compare.
TENANT_LADDER: tuple[Role, ...] = (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER)
PLATFORM_LADDER: tuple[Role, ...] = (Role.PLATFORM_ADMIN, Role.BILLING_OPERATIONS, Role.SUPPORT)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be done, its least roles, its token scope and its lifecycle need.

    None as a role or scope means that nobody of that kind may. Whoever holds a visit's link for five minutes must not
    be able to stay (spec 02, How people sign in): `allowed_in_visit` is false for what changes members, credentials
    and accounts.
    """

    name: str
    tenant_role: Role | None = None
    platform_role: Role | None = None
    scope: Scope | None = None
    lifecycle: LifecycleNeed = LifecycleNeed.NOTHING
    allowed_in_visit: bool = True


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


register_operations(
    Operation("audit.read", platform_role=Role.SUPPORT),
    Operation("outbox.read", platform_role=Role.SUPPORT),
    Operation("outbox.retry", platform_role=Role.BILLING_OPERATIONS),
    Operation("jobs.read", tenant_role=Role.ADMIN, platform_role=Role.SUPPORT, scope=Scope.JOBS_RUN),
    # The job endpoint's own gate; each job has a narrower one of its own.
    Operation("jobs.start", tenant_role=Role.ADMIN, platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
    Operation("jobs.drain_outbox", platform_role=Role.BILLING_OPERATIONS, scope=Scope.JOBS_RUN),
)
