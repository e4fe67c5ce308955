"""What mirrored subscriptions come to: which one a record follows, and whether one has subscribed (spec 03, 04). Pure.

Functions of all of a workspace, or of an organization, of whatever provider, so that the order of news can't matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from apps.payments.enums import ProviderSubscriptionStatus
from apps.subscriptions.enums import SubscriptionScope, SubscriptionState, SubscriptionStatus

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class SubscriptionName:
    """A subscription at a provider."""

    provider: str
    external_id: str


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """What counts of one mirrored subscription. `started_at`: None where no provider has told it."""

    name: SubscriptionName
    status: ProviderSubscriptionStatus
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def has_run(self) -> bool:
        """Whether it began; one that ended did so only if it started before (spec 04)."""
        if self.status is not ProviderSubscriptionStatus.ENDED:
            return self.status is not ProviderSubscriptionStatus.INCOMPLETE
        return self.started_at is not None and self.ended_at is not None and self.started_at < self.ended_at


# Running before past due before paused before ended; then the later start.
_RANKS: Mapping[ProviderSubscriptionStatus, int] = MappingProxyType(
    {
        ProviderSubscriptionStatus.TRIALING: 3,
        ProviderSubscriptionStatus.ACTIVE: 3,
        ProviderSubscriptionStatus.PAST_DUE: 2,
        ProviderSubscriptionStatus.PAUSED: 1,
        ProviderSubscriptionStatus.ENDED: 0,
    }
)
_STATE_OF: Mapping[ProviderSubscriptionStatus, SubscriptionState | None] = MappingProxyType(
    {
        ProviderSubscriptionStatus.INCOMPLETE: None,
        ProviderSubscriptionStatus.TRIALING: SubscriptionState.TRIALING,
        ProviderSubscriptionStatus.ACTIVE: SubscriptionState.ACTIVE,
        ProviderSubscriptionStatus.PAST_DUE: SubscriptionState.PAST_DUE,
        ProviderSubscriptionStatus.PAUSED: SubscriptionState.SUSPENDED,
        ProviderSubscriptionStatus.ENDED: SubscriptionState.ENDED,
    }
)
# What makes no organization subscribed.
_NOT_RUNNING = frozenset({ProviderSubscriptionStatus.INCOMPLETE, ProviderSubscriptionStatus.ENDED})
_CHARGED = frozenset(status for status, rank in _RANKS.items() if rank > 1)


def workspace_state(status: ProviderSubscriptionStatus) -> SubscriptionState | None:
    """The state of the workspace subscription that follows one of this status; None: it has not begun."""
    return _STATE_OF[status]


def followed(known: Iterable[SubscriptionFacts], *, after: datetime | None = None) -> SubscriptionName | None:
    """The one that the record follows; None where none has run. `after`: only of those that started later than that."""
    begun = [one for one in known if one.has_run and _is_after(one, after)]
    return max(begun, key=_order).name if begun else None


def charged(known: Iterable[SubscriptionFacts]) -> tuple[SubscriptionName, ...]:
    """Those that the customer pays for now, or will after a trial; more than one is too many (spec 04)."""
    return tuple(sorted(one.name for one in known if one.status in _CHARGED))


def is_sold(known: Iterable[SubscriptionFacts]) -> bool:
    """Whether one runs, or is paused: another checkout would sell a second one."""
    return any(one.has_run and one.status is not ProviderSubscriptionStatus.ENDED for one in known)


def subscription_statuses(mirrored: Iterable[ProviderSubscriptionStatus]) -> tuple[SubscriptionStatus, ...]:
    """The statuses that the organization has gone through: none, subscribed, or subscribed and then unsubscribed.

    Of those that have ended only the ones that have run are given; each was one, also where its end is the first that
    we hear of it.
    """
    known = frozenset(mirrored) - {ProviderSubscriptionStatus.INCOMPLETE}
    if not known:
        return ()
    if known == {ProviderSubscriptionStatus.ENDED}:
        return (SubscriptionStatus.SUBSCRIBED, SubscriptionStatus.UNSUBSCRIBED)
    return (SubscriptionStatus.SUBSCRIBED,)


def subscription_scope(mirrored: Iterable[tuple[ProviderSubscriptionStatus, bool]]) -> SubscriptionScope:
    """For whom those speak that run, each given as its status and whether it names a workspace (spec 03, rule 5)."""
    running = [names_workspace for status, names_workspace in mirrored if status not in _NOT_RUNNING]
    return SubscriptionScope.WORKSPACES if running and all(running) else SubscriptionScope.ORGANIZATION


def subscription_steps(
    desired: tuple[SubscriptionStatus, ...], current: SubscriptionStatus
) -> tuple[SubscriptionStatus, ...]:
    """What to set, in order, so that the last desired status is reached by allowed steps; none where it is so."""
    if not desired or desired[-1] is current:
        return ()
    return tuple(status for status in desired if status is not current)


def _is_after(one: SubscriptionFacts, moment: datetime | None) -> bool:
    return moment is None or (one.started_at is not None and one.started_at > moment)


def _order(one: SubscriptionFacts) -> tuple[int, datetime, SubscriptionName]:
    return _RANKS[one.status], one.started_at or _BEGINNING, one.name
