"""A lifecycle decision and a preview in the words and colours of the staff plane. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from apps.backoffice.audit_diff import FieldChange
from apps.backoffice.display import Tone, badge
from apps.core.enums import LifecycleNeed, LifecycleState
from apps.subscriptions.preview import Preview
from apps.subscriptions.rules.lifecycle import Allowance, LifecycleDecision
from apps.subscriptions.wording import ALLOWANCE_WORDS, NEED_WORDS, STATE_WORDS

TONES: Mapping[LifecycleState, Tone] = {
    LifecycleState.PRE_SUBSCRIPTION: "info",
    LifecycleState.TRIAL: "good",
    LifecycleState.ACTIVE: "good",
    LifecycleState.GRACE: "warn",
    LifecycleState.SUSPENDED_READ_ONLY: "bad",
    LifecycleState.CLOSED: "bad",
}
_MARKS: Mapping[Allowance, tuple[Tone, str]] = {
    Allowance.YES: ("good", "check"),
    Allowance.WITH_WARNING: ("warn", "warning"),
    Allowance.FROM_GRANTS_ONLY: ("warn", "warning"),
    Allowance.OWNER_ONLY: ("warn", "warning"),
    Allowance.NO: ("bad", "close"),
}


@dataclass(frozen=True, slots=True)
class AllowedLine:
    """One class of operations and how far it goes."""

    label: str
    answer: str
    tone: Tone
    icon: str


@dataclass(frozen=True, slots=True)
class AllowanceStep:
    """One class of operations before and after."""

    label: str
    before: AllowedLine
    after: AllowedLine


@dataclass(frozen=True, slots=True)
class PreviewWords:
    """What the preview page shows."""

    before: SafeString
    after: SafeString
    is_same_state: bool
    fields: Sequence[FieldChange]
    allowances: Sequence[AllowanceStep]
    operations_allowed: Sequence[str]
    operations_denied: Sequence[str]
    consequences: Sequence[str]
    tenant_sees: str
    token: str


def lifecycle_badge(state: LifecycleState) -> SafeString:
    """The lifecycle state as a badge."""
    return badge(STATE_WORDS[state].label, TONES[state])


def allowed_line(need: LifecycleNeed, allowance: Allowance) -> AllowedLine:
    """How far one class of operations goes."""
    tone, icon = _MARKS[allowance]
    return AllowedLine(NEED_WORDS[need], ALLOWANCE_WORDS[allowance], tone, icon)


def allowed_lines(decision: LifecycleDecision) -> list[AllowedLine]:
    """What is allowed, one line for each class of operations that the lifecycle speaks of."""
    return [allowed_line(need, decision.allowance(need)) for need in NEED_WORDS]


def preview_words(made: Preview, fields: Sequence[FieldChange]) -> PreviewWords:
    """The preview in words."""
    return PreviewWords(
        before=lifecycle_badge(made.before.state),
        after=lifecycle_badge(made.after.state),
        is_same_state=made.before.state is made.after.state,
        fields=fields,
        allowances=[
            AllowanceStep(
                NEED_WORDS[change.need],
                allowed_line(change.need, change.before),
                allowed_line(change.need, change.after),
            )
            for change in made.allowance_changes
        ],
        operations_allowed=made.operations_allowed,
        operations_denied=made.operations_denied,
        consequences=made.consequences,
        tenant_sees=made.tenant_sees,
        token=made.token,
    )
