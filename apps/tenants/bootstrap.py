"""What else comes into being with an organization, in the same transaction (spec 02, Membership authority).

Apps above register a step in their `AppConfig.ready`; tenants never calls upward by name.
"""

from __future__ import annotations

from typing import Protocol

from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.registry import Registry


class BootstrapStep(Protocol):
    """Adds what every new organization has. Called inside the creating transaction; an error undoes it all."""

    def __call__(self, context: ExecutionContext, *, organization_id: OrganizationId) -> object: ...


_steps: Registry[BootstrapStep] = Registry("bootstrap step")


def register(name: str, step: BootstrapStep) -> None:
    """Add a step under a unique name; steps run in the order of registration."""
    _steps.register(name, step)


def run_all(context: ExecutionContext, *, organization_id: OrganizationId) -> None:
    """Run every registered step for a new organization."""
    for step in _steps.values():
        step(context, organization_id=organization_id)
