"""Handlers of changes: they run in the same transaction, whoever changed the payment config (spec 04).

Apps above register a handler in their `AppConfig.ready`; subscriptions never calls upward by name. So an event of a
provider, a staff verb, the job and the API have the same effects, and a preview shows them. What anybody but a provider
changes of a workspace subscription has handlers of its own; whatever is saved of one, a renewal too, has others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from apps.core.context import ExecutionContext
from apps.core.ids import WorkspaceId
from apps.core.registry import Registry
from apps.subscriptions.contracts import PaymentStanding, SubscriptionChange
from apps.subscriptions.enums import PaymentStatus
from apps.subscriptions.models import OrganizationPaymentConfig, WorkspaceSubscription


class Handler(Protocol):
    """One handler. `before` holds the values of `selectors.records.payment_config_values`; an error undoes all."""

    def __call__(
        self, context: ExecutionContext, *, config: OrganizationPaymentConfig, before: Mapping[str, Any]
    ) -> object: ...


class SubscriptionHandler(Protocol):
    """One handler of a change of a workspace subscription that no provider's news called for."""

    def __call__(
        self, context: ExecutionContext, *, workspace_id: WorkspaceId, change: SubscriptionChange
    ) -> object: ...


class Lock(Protocol):
    """Locks what the handlers of this change will write: it must be locked before the audit chain."""

    def __call__(self, *, workspace_id: WorkspaceId, change: SubscriptionChange) -> object: ...


class SavedHandler(Protocol):
    """One handler of whatever changed a workspace subscription; an error undoes the change."""

    def __call__(self, context: ExecutionContext, *, subscription: WorkspaceSubscription) -> object: ...


_handlers: Registry[Handler] = Registry("handler of a payment config's changes")

_standings: Registry[Callable[[OrganizationPaymentConfig], PaymentStanding]] = Registry("reader of a payment standing")
_subscription_handlers: Registry[SubscriptionHandler] = Registry("handler of a subscription's changes by people")
_locks: Registry[Lock] = Registry("lock for a subscription's changes by people")

_saved_handlers: Registry[SavedHandler] = Registry("handler of saved subscriptions")


def register_handler(name: str, handler: Handler) -> None:
    """Add one under a unique name; they run in the order of registration."""
    _handlers.register(name, handler)


def run_handlers(context: ExecutionContext, *, config: OrganizationPaymentConfig, before: Mapping[str, Any]) -> None:
    """Run all of them after a change has been saved; the config is locked."""
    for handler in _handlers.values():
        handler(context, config=config, before=before)


def register_subscription_handler(name: str, handler: SubscriptionHandler) -> None:
    """Add one under a unique name."""
    _subscription_handlers.register(name, handler)


def run_subscription_handlers(
    context: ExecutionContext, *, workspace_id: WorkspaceId, change: SubscriptionChange
) -> None:
    """Run all of them after a change has been saved and audited; workspace and record are locked."""
    for handler in _subscription_handlers.values():
        handler(context, workspace_id=workspace_id, change=change)


def register_lock(name: str, lock: Lock) -> None:
    """Add one under a unique name."""
    _locks.register(name, lock)


def run_locks(*, workspace_id: WorkspaceId, change: SubscriptionChange) -> None:
    """Run all of them before anything is written; workspace and record are locked."""
    for lock in _locks.values():
        lock(workspace_id=workspace_id, change=change)


def register_saved_handler(name: str, handler: SavedHandler) -> None:
    """Add one under a unique name."""
    _saved_handlers.register(name, handler)


def run_saved_handlers(context: ExecutionContext, *, subscription: WorkspaceSubscription) -> None:
    """Run all of them after a subscription has been saved and audited; workspace and record are locked."""
    for handler in _saved_handlers.values():
        handler(context, subscription=subscription)


def register_standing(name: str, reader: Callable[[OrganizationPaymentConfig], PaymentStanding]) -> None:
    """Say what the invoices of an organization come to, for staff who hand its payment status back."""
    _standings.register(name, reader)


def read_standing(config: OrganizationPaymentConfig) -> PaymentStanding:
    """What the invoices come to now; the config is locked. Nothing is known where nobody has registered."""
    for reader in _standings.values():
        return reader(config)
    return PaymentStanding(PaymentStatus.UNINITIALIZED)
