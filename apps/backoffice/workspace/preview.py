"""Verbs of the workspace page whose preview is the change itself, made and rolled back (spec 03, Preview)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from apps.backoffice.audit_diff import FieldChange, field_changes
from apps.backoffice.cells import code
from apps.backoffice.verbs import Change, ChangeGroup, Preview, ReasonForm, Verb
from apps.backoffice.workspace.forms import WorkspaceForm
from apps.backoffice.workspace.labels import allowed_line, describe_changes, lifecycle_badge
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core.canonical import plain
from apps.core.context import ExecutionContext
from apps.credits.enums import HoldStatus
from apps.credits.models import Hold
from apps.subscriptions import preview as previews
from apps.subscriptions.enums import PendingChangeStatus
from apps.subscriptions.messages import NEED_WORDS
from apps.subscriptions.models import PendingChange
from apps.subscriptions.selectors.records import (
    open_pending_change,
    overlay_values,
    payment_config_of,
    payment_config_values,
    subscription_values,
    workspace_subscription_of,
)
from apps.tenants.models import Organization, Workspace

MOST_NAMES, MOST_HOLDS = 5, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedVerb(Verb):
    """A verb that runs twice: once rolled back, as the preview, then with the token that binds what was seen.

    `effects` says beside the fields what the change means, such as for the price. The token is refused for another
    person, workspace, verb or entry, and when the workspace changed in between.
    """

    done: str | Callable[[Any], str]
    effects: Callable[[WorkspaceSubject, Any], Sequence[ChangeGroup]] = lambda subject, form: ()
    form_class: type[ReasonForm] = WorkspaceForm
    organization_of: Callable[[Any, Any], Organization | None] = lambda subject, form: subject.organization
    eyebrow: Callable[[Any], str] = lambda subject: subject.title

    @property
    def is_previewed(self) -> bool:
        return True

    def preview(self, context: ExecutionContext, record: WorkspaceSubject, form: WorkspaceForm) -> Preview:
        """Run the change, read which fields it changed, and roll it back."""
        fields: list[FieldChange] = []
        scheduled: list[str] = []

        # The fields are read inside, since the change is rolled back before `preview` returns.
        def run() -> None:
            before = _field_values(record)
            self.run(context, record, form)
            fields.extend(field_changes(before, _field_values(record)))
            scheduled.extend(_scheduled_line(record))

        made = previews.preview(
            context, workspace_id=record.workspace_id, verb=self.name, inputs=form.cleaned_data, run=run
        )
        lines = [*scheduled, *_shared_lines(record, self.section, made)]
        return _describe(made, describe_changes(fields), self.effects(record, form), lines)

    def apply(self, context: ExecutionContext, record: WorkspaceSubject, form: WorkspaceForm, token: str) -> object:
        """Run the change that was previewed."""
        return previews.apply_previewed(
            context,
            token=token,
            workspace_id=record.workspace_id,
            verb=self.name,
            inputs=form.cleaned_data,
            run=lambda: self.run(context, record, form),
        )


def _describe(
    made: previews.Preview, fields: list[FieldChange], effects: Sequence[ChangeGroup], lines: Sequence[str]
) -> Preview:
    groups = [*effects]
    if fields:
        changes = [Change(change.field, change.before, change.after) for change in fields]
        groups.append(ChangeGroup("Fields that change", changes))
    if made.allowance_changes:
        allowances = [
            Change(
                NEED_WORDS[change.need],
                allowed_line(change.need, change.before).answer,
                allowed_line(change.need, change.after).answer,
                tone=allowed_line(change.need, change.after).tone,
            )
            for change in made.allowance_changes
        ]
        groups.append(ChangeGroup("What the workspace may do", allowances, note=_operations(made)))
    return Preview(
        groups,
        lifecycle=Change("Lifecycle", lifecycle_badge(made.before.state), lifecycle_badge(made.after.state)),
        lines=[*made.consequences, *lines],
        tenant_sees=made.tenant_sees,
        token=made.token,
    )


_SCHEDULED = {PendingChangeStatus.OPEN: "stays", PendingChangeStatus.DROPPED: "is dropped"}


def _scheduled_line(subject: WorkspaceSubject) -> list[str]:
    """What the change that was just made has made of the one that was scheduled; who settles it knows."""
    waiting = subject.pending
    if waiting is None:
        return []
    verb = _SCHEDULED.get(
        PendingChangeStatus(PendingChange.objects.values_list("status", flat=True).get(pk=waiting.pk))
    )
    plan = f" to {waiting.plan.name}" if waiting.plan else ""
    what = f"{waiting.get_kind_display().lower()}{plan} on {waiting.due_at:%-d %B %Y}"
    return [f"The scheduled change {verb}: {what}."] if verb else []


def _shared_lines(subject: WorkspaceSubject, section: str, made: previews.Preview) -> list[str]:
    """Whom else it reaches, and which credits are held while what is allowed changes."""
    lines = []
    if section == "payments":
        others = Workspace.objects.filter(organization=subject.organization_id).exclude(pk=subject.workspace_id)
        names = list(others.order_by("slug").values_list("name", flat=True)[: MOST_NAMES + 1])
        shown = ", ".join(names[:MOST_NAMES]) + (" and more" if len(names) > MOST_NAMES else "")
        lines += [f"The organization's other workspaces change too: {shown}."] if names else []
    if made.allowance_changes:
        held = Hold.objects.filter(account=subject.organization_id, status=HoldStatus.OPEN)
        count = held[: MOST_HOLDS + 1].count()
        more = f"more than {MOST_HOLDS}" if count > MOST_HOLDS else str(count)
        lines += (
            [f"Open holds of the organization: {more}. Products can still capture or release them."] if count else []
        )
    return lines


def _operations(made: previews.Preview) -> SafeString:
    lines = (("Newly denied", made.operations_denied), ("Newly allowed", made.operations_allowed))
    return format_html_join(
        " ",
        "{}: {}.",
        ((title, format_html_join(", ", "{}", ((code(name),) for name in names))) for title, names in lines if names),
    )


def _field_values(subject: WorkspaceSubject) -> dict[str, Any]:
    workspace = Workspace.objects.get(pk=subject.workspace_id)
    record = workspace_subscription_of(subject.workspace_id)
    values: dict[str, Any] = subscription_values(record) | overlay_values(workspace)
    config = payment_config_of(subject.organization_id)
    if config is not None:
        values |= payment_config_values(config)
    pending = open_pending_change(subject.workspace_id)
    if pending is not None:
        plan = f" to {pending.plan.name}" if pending.plan else ""
        values["scheduled_change"] = f"{pending.get_kind_display()}{plan} on {pending.due_at:%-d %B %Y}"
    if record is not None:
        # Staff read the name; the audit log keeps the id.
        values["plan_id"] = record.plan.name
    written = plain(values)
    return written if isinstance(written, dict) else {}
