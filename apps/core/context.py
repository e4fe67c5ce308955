"""The execution context: who acts, for which tenant, with which role, authorized by what.

Every service function that changes state takes it as its first argument, and the audit entry records it. Contexts are
made by `apps.tenants.access` alone (spec 02, ExecutionContext).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.core.enums import ActorKind, AuthorizationSource, Role, Scope
from apps.core.ids import OrganizationId, ProductId, RequestId, WorkspaceId


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `id` is the user's or product's UUID as text, empty where there is none; `label` is for people."""

    kind: ActorKind
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The facts under which one operation runs. Immutable; a different tenant or role is a different context."""

    actor: Actor
    role: Role
    authorization_source: AuthorizationSource
    request_id: RequestId
    organization_id: OrganizationId | None = None
    workspace_id: WorkspaceId | None = None
    product_id: ProductId | None = None
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    is_demo: bool = False
