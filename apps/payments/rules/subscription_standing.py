"""What the mirrored subscriptions say of the organization, and of the workspace that one of them belongs to (spec 04).

Pure; functions of the mirror alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from apps.payments.enums import ProviderSubscriptionStatus as Mirrored
from apps.subscriptions.enums import SubscriptionState, SubscriptionStatus

_STATE_OF: Mapping[Mirrored, SubscriptionState | None] = MappingProxyType(
    {
        Mirrored.INCOMPLETE: None,
        Mirrored.TRIALING: SubscriptionState.TRIALING,
        Mirrored.ACTIVE: SubscriptionState.ACTIVE,
        Mirrored.PAST_DUE: SubscriptionState.PAST_DUE,
        Mirrored.PAUSED: SubscriptionState.SUSPENDED,
        Mirrored.ENDED: SubscriptionState.ENDED,
    }
)


def subscription_statuses(mirrored: Iterable[Mirrored]) -> tuple[SubscriptionStatus, ...]:
    """The statuses that the organization has gone through: none, subscribed, or subscribed and then unsubscribed.

    An ended subscription was one, also where its end is the first that we hear of it.
    """
    known = frozenset(mirrored) - {Mirrored.INCOMPLETE}
    if not known:
        return ()
    if known == {Mirrored.ENDED}:
        return (SubscriptionStatus.SUBSCRIBED, SubscriptionStatus.UNSUBSCRIBED)
    return (SubscriptionStatus.SUBSCRIBED,)


def workspace_state(mirrored: Mirrored) -> SubscriptionState | None:
    """The state of the workspace subscription that follows this one; None: it has not begun."""
    return _STATE_OF[mirrored]


def subscription_steps(
    claimed: tuple[SubscriptionStatus, ...],
    current: SubscriptionStatus,
    may_become: Mapping[SubscriptionStatus, frozenset[SubscriptionStatus]],
) -> tuple[SubscriptionStatus, ...]:
    """What to set, in order, so that the last claimed status is reached by allowed steps; none where it is so."""
    if not claimed or claimed[-1] is current:
        return ()
    if claimed[-1] in may_become[current]:
        return claimed[-1:]
    return tuple(status for status in claimed if status is not current)
