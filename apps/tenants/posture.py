"""What the lifecycle of a workspace means for its billing pages; an app above decides it and registers itself here.

Tenants never calls upward by name (spec 10): the WorkspaceLifecycleResolver lives in an app above, and its answer
reaches the frame of every page as a `WorkspacePosture`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleNeed
from apps.core.registry import Registry


class BannerTone(Enum):
    """How urgent a banner is; its words say the same, so colour never carries it alone."""

    NOTE = "note"
    WARNING = "warning"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Banner:
    """The one banner of a page: what holds, why, and what helps (spec 08, Billing pages)."""

    tone: BannerTone
    title: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class WorkspacePosture:
    """What the person of one context may do in the workspace as its lifecycle is now. `banner` is None when all is."""

    allowed: frozenset[LifecycleNeed]
    banner: Banner | None = None

    def permits(self, need: LifecycleNeed) -> bool:
        """Whether the lifecycle lets operations of this class through."""
        return need in self.allowed


class PostureProvider(Protocol):
    """Decides the posture of the context's workspace, for the context's role; the banner's days are of the zone."""

    def __call__(self, context: ExecutionContext, *, time_zone: str) -> WorkspacePosture: ...


_providers: Registry[PostureProvider] = Registry("posture provider")


def register(provider: PostureProvider) -> None:
    """Make this the one provider; there is exactly one resolver, so a second is a mistake."""
    _providers.register("lifecycle", provider)


def posture_of(context: ExecutionContext, *, time_zone: str) -> WorkspacePosture:
    """The posture of the context's workspace. Without a provider no page opens."""
    return _providers["lifecycle"](context, time_zone=time_zone)
