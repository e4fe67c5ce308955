"""The execution context: who acts, for which tenant, with which role, authorized by what.

Every service function that changes state takes it as its first argument, and the audit entry records it. Contexts are
made by `apps.tenants.access` alone (spec 02, ExecutionContext); it makes those of the machinery with `system_context`,
which the core's own tasks and commands, standing below it, call themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from apps.core.enums import ActorKind, AuthorizationSource, Role, Scope
from apps.core.ids import OrganizationId, ProductId, RequestId, ServiceTokenId, WorkspaceId

MachinerySource = Literal[AuthorizationSource.SCHEDULER, AuthorizationSource.CONSOLE]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `id` is the user's or product's UUID as text, empty where there is none; `label` is for people."""

    kind: ActorKind
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The facts under which one operation runs. Immutable; a different tenant or role is a different context.

    `token_id` is the service token that was shown, for work that outlasts the call and asks whether it still lives.
    `started_by` is what the caller of a job run showed; the run itself is the scheduler's, whoever started it.
    """

    actor: Actor
    role: Role
    authorization_source: AuthorizationSource
    request_id: RequestId
    organization_id: OrganizationId | None = None
    workspace_id: WorkspaceId | None = None
    product_id: ProductId | None = None
    token_id: ServiceTokenId | None = None
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    is_demo: bool = False
    started_by: AuthorizationSource | None = None
    # A visit from a product: its person may see one workspace, and change less than elsewhere.
    is_visit: bool = False
    # Staff look at a tenant's pages as one of its members: the role is the member's, the actor is who really looks.
    is_impersonated: bool = False

    def within(self, organization_id: OrganizationId, *, is_demo: bool) -> ExecutionContext:
        """The same caller in one organization: one that this call has just made, or one of those that a job visits."""
        return replace(self, organization_id=organization_id, workspace_id=None, is_demo=is_demo)


def system_context(
    source: MachinerySource,
    *,
    name: str,
    request_id: RequestId,
    organization_id: OrganizationId | None = None,
    workspace_id: WorkspaceId | None = None,
    is_demo: bool = False,
    started_by: AuthorizationSource | None = None,
) -> ExecutionContext:
    """The context of a task or a command: role `system`, whoever enqueued or typed it (spec 02).

    `name` is the job's, or the operating-system user's.
    """
    kind = ActorKind.CONSOLE if source is AuthorizationSource.CONSOLE else ActorKind.SCHEDULER
    return ExecutionContext(
        actor=Actor(kind, name, f"{kind.value}:{name}"),
        role=Role.SYSTEM,
        authorization_source=source,
        request_id=request_id,
        organization_id=organization_id,
        workspace_id=workspace_id,
        is_demo=is_demo,
        started_by=started_by,
    )
