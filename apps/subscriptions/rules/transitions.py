"""What may become what for a workspace subscription, as data (spec 03, WorkspaceSubscription).

A verb names the states it may start from, where it leads (None: the state stays), which operation a caller needs and
which audit event it leaves. The service, the database trigger and the pages all read this one table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from apps.core.audit_events import AuditEvent
from apps.core.enums import ActorKind
from apps.subscriptions import events
from apps.subscriptions.enums import PendingChangeKind, PendingChangeStatus, SubscriptionState

CHANGE_OPERATION = "subscriptions.change"
STAFF = frozenset({ActorKind.USER, ActorKind.CONSOLE})

_TRIALING, _ACTIVE, _PAST_DUE = SubscriptionState.TRIALING, SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE
_SUSPENDED, _ENDED = SubscriptionState.SUSPENDED, SubscriptionState.ENDED
_RUNNING = frozenset({_TRIALING, _ACTIVE, _PAST_DUE, _SUSPENDED})
_RECORDED = frozenset(SubscriptionState)

# The first table of spec 03: state → what it may become.
MAY_BECOME: Mapping[SubscriptionState, frozenset[SubscriptionState]] = MappingProxyType(
    {
        _TRIALING: frozenset({_ACTIVE, _PAST_DUE, _SUSPENDED, _ENDED}),
        _ACTIVE: frozenset({_PAST_DUE, _SUSPENDED, _ENDED}),
        _PAST_DUE: frozenset({_ACTIVE, _SUSPENDED, _ENDED}),
        _SUSPENDED: frozenset({_ACTIVE, _PAST_DUE, _ENDED}),
        _ENDED: frozenset({_TRIALING, _ACTIVE}),
    }
)
# A first record is a start, like the one after an end. A provider's first news of a subscription that is past due or
# paused already is taken in two steps: the start, then what came of it.
FIRST_STATES = MAY_BECOME[_ENDED]


@dataclass(frozen=True, slots=True)
class SubscriptionTransition:
    """One verb. `None` among the sources means: from no record at all."""

    verb: str
    label: str
    sources: frozenset[SubscriptionState | None]
    target: SubscriptionState | None
    event: AuditEvent
    who: frozenset[ActorKind] = frozenset(ActorKind)
    operation: str = CHANGE_OPERATION


_TABLE = (
    SubscriptionTransition("start_trial", "Start trial", frozenset({None, _ENDED}), _TRIALING, events.TRIAL_STARTED),
    SubscriptionTransition(
        "activate",
        "Activate",
        frozenset({None, _TRIALING, _PAST_DUE, _ENDED}),
        _ACTIVE,
        events.SUBSCRIPTION_ACTIVATED,
    ),
    SubscriptionTransition("change_plan", "Change plan", _RUNNING, None, events.PLAN_SWITCHED),
    SubscriptionTransition(
        "mark_past_due",
        "Mark past due",
        frozenset({_TRIALING, _ACTIVE, _SUSPENDED}),
        _PAST_DUE,
        events.SUBSCRIPTION_PAST_DUE,
    ),
    SubscriptionTransition(
        "suspend",
        "Suspend",
        frozenset({_TRIALING, _ACTIVE, _PAST_DUE}),
        _SUSPENDED,
        events.SUBSCRIPTION_SUSPENDED,
    ),
    SubscriptionTransition(
        "resume", "Resume", frozenset({_PAST_DUE, _SUSPENDED}), _ACTIVE, events.SUBSCRIPTION_RESUMED
    ),
    SubscriptionTransition("end", "End", _RUNNING, _ENDED, events.SUBSCRIPTION_ENDED),
    SubscriptionTransition(
        "set_cancel_at_period_end", "Set cancellation at period end", _RUNNING, None, events.CANCELLATION_SET
    ),
    SubscriptionTransition("update_period", "Update dates", _RUNNING, None, events.PERIOD_UPDATED),
    SubscriptionTransition(
        "hand_to_provider", "Hand back to provider", _RECORDED, None, events.HANDED_TO_PROVIDER, who=STAFF
    ),
    SubscriptionTransition("take_over", "Take over management", _RUNNING, None, events.TAKEN_OVER, who=STAFF),
)
SUBSCRIPTION_TRANSITIONS: Mapping[str, SubscriptionTransition] = MappingProxyType({row.verb: row for row in _TABLE})


def is_legal(verb: str, state: SubscriptionState | None) -> bool:
    """Whether the verb may start from this state."""
    return state in SUBSCRIPTION_TRANSITIONS[verb].sources


def legal_verbs(state: SubscriptionState | None) -> tuple[SubscriptionTransition, ...]:
    """Every verb that may start from this state, in the order of the pages."""
    return tuple(row for row in _TABLE if state in row.sources)


def verb_between(source: SubscriptionState | None, target: SubscriptionState) -> str | None:
    """The verb that leads from one state to another; None when no one step does, or nothing is to be done."""
    return next((row.verb for row in _TABLE if source in row.sources and row.target == target), None)


def verb_back(source: SubscriptionState, target: SubscriptionState) -> str | None:
    """The verb by which people go back to the state before: where two lead there, the one that starts nothing new."""
    return next((row.verb for row in reversed(_TABLE) if source in row.sources and row.target == target), None)


def is_new_start(source: SubscriptionState | None) -> bool:
    """Whether leaving this state begins a new subscription, with dates of its own."""
    return source is None or source is _ENDED


def is_over(state: SubscriptionState | None) -> bool:
    """Whether a record in this state has an end date; None: there is no record."""
    return state is _ENDED


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What counts of a change for the scheduled one; of no record, state and plan are None.

    `is_news`: a provider has told of it, and its subscription is in this state there too.
    """

    state_before: SubscriptionState | None
    state_after: SubscriptionState
    plan_before: UUID | None
    plan_after: UUID
    is_news: bool = False

    @property
    def ends(self) -> bool:
        return is_over(self.state_after) and not is_new_start(self.state_before)

    @property
    def starts(self) -> bool:
        return is_new_start(self.state_before) and not is_over(self.state_after)

    @property
    def switches_plan(self) -> bool:
        return self.plan_before != self.plan_after


def fate_of_scheduled(
    kind: PendingChangeKind, plan_id: UUID | None, change: RecordChange
) -> PendingChangeStatus | None:
    """What a change makes of the open scheduled one; None: it keeps its sense (spec 03, Scheduled change).

    An end and a new start leave nothing of it, and another plan leaves no sense in a change of plan. A provider that
    tells of exactly what was scheduled has confirmed it.
    """
    is_end = kind is PendingChangeKind.END
    if change.ends:
        is_it = is_end
    elif change.starts:
        is_it = False
    elif change.switches_plan and not is_end:
        is_it = change.plan_after == plan_id
    else:
        return None
    return PendingChangeStatus.APPLIED if is_it and change.is_news else PendingChangeStatus.DROPPED


def state_pairs() -> Iterator[tuple[str, str]]:
    """Every allowed pair of states, for the database trigger."""
    return ((source.value, target.value) for source, targets in MAY_BECOME.items() for target in sorted(targets))
