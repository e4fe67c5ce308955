"""The lifecycle in words, where it comes from, why, and what is allowed now. Decided by the resolver alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import Tone
from apps.backoffice.workspace.labels import TONES, AllowedLine, allowed_lines
from apps.backoffice.workspace.references import reference_link
from apps.backoffice.workspace.section import Callout, Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.subscriptions.messages import STATE_WORDS, words_of
from apps.subscriptions.rules.lifecycle import RuleOutcome, RuleStep
from apps.subscriptions.selectors.records import is_due

_OUTCOMES: dict[RuleOutcome, tuple[str, Tone]] = {
    RuleOutcome.DECIDES: ("decides", "good"),
    RuleOutcome.LOWERS: ("lowers it", "warn"),
    RuleOutcome.PASSES: ("does not apply", "neutral"),
}


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One rule of the decision."""

    rule: str
    fact: str
    outcome: str
    tone: Tone
    record: SafeString


@dataclass(frozen=True, slots=True)
class LifecycleCard:
    """The lifecycle with its reasons, at the top of the page."""

    label: str
    meaning: str
    tone: Tone
    source: str
    reasons: Sequence[TraceLine]
    trace: Sequence[TraceLine]
    allowed: Sequence[AllowedLine]
    remedy: str


def lifecycle_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The lifecycle with everything that asks a person for a decision."""
    decision = subject.decision
    words = STATE_WORDS[decision.state]
    card = LifecycleCard(
        label=words.label,
        meaning=words.meaning,
        tone=TONES[decision.state],
        source=decision.source.label,
        reasons=[_line(step, subject) for step in decision.reasons],
        trace=[_line(step, subject) for step in decision.trace],
        allowed=allowed_lines(decision),
        remedy=words_of(subject.facts, decision, zone=UTC).remedy if TONES[decision.state] != "good" else "",
    )
    return Section(
        title="Lifecycle",
        icon="verified_user",
        callouts=_callouts(subject),
        template="backoffice/workspace/lifecycle.html",
        content=card,
        is_wide=True,
    )


def _line(step: RuleStep, subject: WorkspaceSubject) -> TraceLine:
    outcome, tone = _OUTCOMES[step.outcome]
    fact = step.fact[:1].upper() + step.fact[1:]
    rule = step.rule.replace("_", " ").capitalize()
    return TraceLine(rule, fact, outcome, tone, reference_link(step.record, subject.workspace_id))


def _callouts(subject: WorkspaceSubject) -> list[Callout]:
    found = [
        Callout(f"Needs review: {reason}. Nothing changes automatically; decide what applies now.", icon="rule")
        for reason in subject.decision.review_reasons
    ]
    pending = subject.pending
    if pending is not None and is_due(pending, subject.facts.at):
        text = f"A scheduled change has been due since {pending.due_at:%-d %B %Y}: confirm or cancel it."
        found.append(Callout(text, icon="event_available"))
    return found
