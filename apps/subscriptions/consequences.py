"""What else follows when a payment config changes, in the same transaction, whoever changed it (spec 04).

Apps above register a step in their `AppConfig.ready`; subscriptions never calls upward by name. So a provider's news, a
staff verb, the job and the API have the same consequences, and a preview shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from apps.core.context import ExecutionContext
from apps.core.registry import Registry
from apps.subscriptions.models import OrganizationPaymentConfig


class Consequence(Protocol):
    """One thing that follows. `before` holds the values of `snapshots.payment_config_values`; an error undoes all."""

    def __call__(
        self, context: ExecutionContext, *, config: OrganizationPaymentConfig, before: Mapping[str, Any]
    ) -> object: ...


_consequences: Registry[Consequence] = Registry("consequence of a payment config's change")


def register(name: str, consequence: Consequence) -> None:
    """Add one under a unique name; they run in the order of registration."""
    _consequences.register(name, consequence)


def run_all(context: ExecutionContext, *, config: OrganizationPaymentConfig, before: Mapping[str, Any]) -> None:
    """Let everything follow from the change that has just been saved; the config is locked."""
    for consequence in _consequences.values():
        consequence(context, config=config, before=before)
