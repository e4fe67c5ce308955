"""What apps above add to closing and reopening an organization, in the same transaction (spec 14).

They register in their `AppConfig.ready` what of theirs may be open still, and what follows from either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.registry import Registry
from apps.tenants.closing_rules import OpenItem

OpenItemsReader = Callable[[OrganizationId], Sequence[OpenItem]]


class ClosingStep(Protocol):
    """What follows. Called in the transaction that closes or reopens, the organization locked; an error undoes all."""

    def __call__(self, context: ExecutionContext, *, organization_id: OrganizationId) -> object: ...


_open_items: Registry[OpenItemsReader] = Registry("reader of open items")
_closed: Registry[ClosingStep] = Registry("step after closing")
_reopened: Registry[ClosingStep] = Registry("step after reopening")


def register_open_items(name: str, reader: OpenItemsReader) -> None:
    """Say what may be open still. The reader locks what new ones would be made under, so that none comes meanwhile."""
    _open_items.register(name, reader)


def register_steps(name: str, *, closed: ClosingStep | None = None, reopened: ClosingStep | None = None) -> None:
    """Add what follows from either; steps run in the order of registration."""
    if closed is not None:
        _closed.register(name, closed)
    if reopened is not None:
        _reopened.register(name, reopened)


def open_items_of(organization_id: OrganizationId) -> list[OpenItem]:
    """Everything that is open still."""
    # Apps above first: their news lock the payment config, and then the account of credits below.
    return [item for read in reversed(_open_items.values()) for item in read(organization_id)]


def run_closed(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Run what follows from the close."""
    for step in _closed.values():
        step(context, organization_id=organization_id)


def run_reopened(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Run what follows from the reopening."""
    for step in _reopened.values():
        step(context, organization_id=organization_id)
