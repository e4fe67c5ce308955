"""Which product a record of credits belongs to: it alone acts on it and reads it in full (spec 09, Credits).

The identity service, staff, the console and the scheduler act on all.
"""

from __future__ import annotations

from uuid import UUID

from apps.core.context import ExecutionContext
from apps.core.enums import Scope
from apps.core.errors import ForbiddenError, Reason
from apps.credits.enums import Owned
from apps.credits.models import CreditEntry, CreditGrant


def owns(context: ExecutionContext, owner: UUID | None) -> bool:
    """Whether the caller may act on, and read in full, what `owner` made; None: what no product made."""
    if context.product_id is None or Scope.TENANTS_MANAGE in context.scopes:
        return True
    return owner == context.product_id


def require_own(context: ExecutionContext, kind: Owned, record_id: UUID, owner: UUID | None) -> None:
    """Raise `ForbiddenError` unless the caller owns the record."""
    if not owns(context, owner):
        raise of_another_product(kind, record_id)


def entry_owner(entry: CreditEntry, grant: CreditGrant | None) -> UUID | None:
    """The product whose entry it is: the one that booked it; of a grant's end, which the scheduler books, the
    grant's.
    """
    return entry.product_id or (grant.product_id if grant else None)


def of_another_product(kind: Owned, record_id: UUID) -> ForbiddenError:
    """The refusal; it does not say whose the record is."""
    name = kind.value
    return ForbiddenError(
        f"The {name} {record_id} belongs to another product, or to staff. Only its own product may use it; the "
        "identity service may use all.",
        code=f"{name}_of_another_product",
        title=f"The {name} is another product's",
        explanation=[Reason(f"{name}_owner", "deny", f"another product made the {name}", f"{name}:{record_id}")],
    )
