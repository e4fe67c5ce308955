"""Handlers of a payment config's changes: they run in the same transaction, whoever made the change (spec 04).

Apps above register a handler in their `AppConfig.ready`; subscriptions never calls upward by name. So an event of a
provider, a staff verb, the job and the API have the same effects, and a preview shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from apps.core.context import ExecutionContext
from apps.core.registry import Registry
from apps.subscriptions.models import OrganizationPaymentConfig


class Handler(Protocol):
    """One handler. `before` holds the values of `selectors.records.payment_config_values`; an error undoes all."""

    def __call__(
        self, context: ExecutionContext, *, config: OrganizationPaymentConfig, before: Mapping[str, Any]
    ) -> object: ...


_handlers: Registry[Handler] = Registry("handler of a payment config's changes")


def register_handler(name: str, handler: Handler) -> None:
    """Add one under a unique name; they run in the order of registration."""
    _handlers.register(name, handler)


def run_handlers(context: ExecutionContext, *, config: OrganizationPaymentConfig, before: Mapping[str, Any]) -> None:
    """Run all of them after a change has been saved; the config is locked."""
    for handler in _handlers.values():
        handler(context, config=config, before=before)
