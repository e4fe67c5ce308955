"""The verbs that close and reopen an organization; their preview is the change itself, made and rolled back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from unfold.widgets import UnfoldBooleanWidget

from apps.backoffice.records.credits import format_credits
from apps.backoffice.verbs import Change, ChangeGroup, Preview, ReasonForm, Verb
from apps.connectors.enums import ConnectorStatus
from apps.connectors.messages import format_count
from apps.connectors.models import Connector, SyncRun
from apps.connectors.models.syncs import ACTIVE
from apps.core import clock
from apps.core.canonical import canonical_hash
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.rehearsals import rehearsal
from apps.credits.selectors.ledger import account_of
from apps.payments.selectors.dues import charging_subscriptions, owed_invoices
from apps.subscriptions.history import organization_changes_between
from apps.subscriptions.messages import STATE_WORDS
from apps.subscriptions.preview import Previewed, banner_text, check_token, preview_token
from apps.subscriptions.selectors.lifecycle import workspace_lifecycles
from apps.tenants.closing import open_items_of
from apps.tenants.closing_rules import reopens_until
from apps.tenants.models import Membership, Organization, Workspace
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services import organization_close, organization_reopen
from apps.tenants.services.closing import CLOSE_OPERATION, REOPEN_OPERATION, closing_refusal, reopening_refusal

_MOST = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """What closing changes: how many connectors are on and syncs under way, what is open, each workspace's state."""

    enabled: int
    syncs: int
    open_facts: tuple[str, ...]
    states: dict[WorkspaceId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationVerb(Verb):
    """A verb that runs twice: once rolled back, as the preview, then with the token that binds what was seen.

    `lines` says what follows, from the organization before and the standings before and after.
    """

    lines: Callable[[Organization, Standing, Standing], list[str]]
    organization_of: Callable[[Any, Any], Organization | None] = lambda record, form: record
    eyebrow: Callable[[Any], str] = lambda record: str(record.name)

    @property
    def is_previewed(self) -> bool:
        return True

    def preview(self, context: ExecutionContext, record: Organization, form: ReasonForm) -> Preview:
        """Make the change, see what it has changed, and roll it back."""
        with rehearsal():
            digest, issued_at = _digest(record), clock.now()
            before = _standing(record)
            self.run(context, record, form)
            after = _standing(record)
            sees = _what_is_seen(after)
        names = dict(Workspace.objects.filter(pk__in=after.states).values_list("pk", "name"))
        changes = [Change(names[key], before.states[key], state) for key, state in after.states.items()]
        return Preview(
            [ChangeGroup("Its workspaces", changes)] if changes else [],
            lines=self.lines(record, before, after),
            tenant_sees=sees,
            token=preview_token(self._previewed(context, record, form), digest, issued_at),
        )

    def apply(self, context: ExecutionContext, record: Organization, form: ReasonForm, token: str) -> object:
        """Make the change that was previewed, if nothing has moved since."""
        with transaction.atomic():
            organization_id = OrganizationId(record.pk)
            check_token(
                token,
                self._previewed(context, record, form),
                _digest(record),
                changes_since=lambda moment: organization_changes_between(organization_id, moment),
            )
            return self.run(context, record, form)

    def _previewed(self, context: ExecutionContext, record: Organization, form: ReasonForm) -> Previewed:
        return Previewed(context, "organization", record.pk, self.name, form.cleaned_data)


class CloseForm(ReasonForm):
    """Whether to close although something is open."""

    is_forced = forms.BooleanField(
        label="Close although something is open",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Open invoices and open holds stop the close. Choose this to close all the same; say why below.",
    )


def _digest(record: Organization) -> str:
    """The hash of what a preview rests on, the organization locked. Holds come and go with each run: not those."""
    locked = organization_for_update(OrganizationId(record.pk))
    owed = owed_invoices(OrganizationId(record.pk)).values_list("external_id", "amount_remaining_minor")
    return canonical_hash({"closed_at": locked and locked.closed_at, "owed": [list(row) for row in owed[:_MOST]]})


def _standing(record: Organization) -> Standing:
    connectors = Connector.objects.filter(workspace__organization=record, status=ConnectorStatus.ENABLED)
    syncs = SyncRun.objects.filter(connector__workspace__organization=record, status__in=ACTIVE)
    keys = Workspace.objects.filter(organization=record).order_by("created_at", "pk").values_list("pk", flat=True)
    shown = [WorkspaceId(key) for key in keys[:_MOST]]
    decisions = workspace_lifecycles(shown)
    states = {key: STATE_WORDS[decisions[key].state].label for key in shown}
    open_facts = tuple(item.fact for item in open_items_of(OrganizationId(record.pk)))
    return Standing(connectors.count(), syncs.count(), open_facts, states)


def _what_is_seen(standing: Standing) -> str:
    """The banner of the first workspace, which is that of all where the organization is closed."""
    first = next(iter(standing.states), None)
    return banner_text(first, workspace_lifecycles([first])[first]) if first is not None else ""


def _after_close(record: Organization, before: Standing, after: Standing) -> list[str]:
    members = Membership.objects.filter(organization=record)
    owners = members.filter(role=MembershipRole.OWNER).count()
    others = members.count() - owners
    lines = [
        f"{format_count(owners, 'owner')} can still read and export everything.",
        f"{format_count(others, 'other member')} can open the invoices and Help, and nothing else.",
    ]
    if before.open_facts:
        lines.insert(0, f"Still open: {'; '.join(before.open_facts)}.")
    if before.enabled or before.syncs:
        lines.append(
            f"{format_count(before.enabled - after.enabled, 'connector')} switched off, "
            f"{format_count(before.syncs - after.syncs, 'sync')} cancelled."
        )
    account = account_of(record.pk)
    if account is not None:
        lines.append(
            f"Credits are frozen: {format_credits(account.balance)} on the account. Products can capture, extend and "
            "release the holds that are open, and record what has run. Grants still expire on their day."
        )
    until = reopens_until(clock.now())
    return [*lines, *charging_lines(record), f"It can be reopened until {until:%-d %B %Y}."]


def charging_lines(record: Organization) -> list[str]:
    """What a provider goes on charging: we don't tell it."""
    running = list(charging_subscriptions(OrganizationId(record.pk))[: _MOST + 1])
    named = [f"{row.get_provider_display()} goes on charging {row.external_id}: end it there." for row in running]
    return [*named[:_MOST], "And more subscriptions."] if len(named) > _MOST else named


def _after_reopening(record: Organization, before: Standing, after: Standing) -> list[str]:
    lines = ["Everything is as before the close, but for what has expired or was changed by the providers since."]
    if after.enabled > before.enabled:
        lines.append(
            f"{format_count(after.enabled - before.enabled, 'connector')} switched on; the next hour reads what was "
            "missed."
        )
    return [*lines, "Daily reports go on with yesterday's. The days in between have none."]


def _why_not_close(record: Organization) -> str:
    refusal = closing_refusal(record)
    return refusal.detail if refusal else ""


def _why_not_reopen(record: Organization) -> str:
    refusal = reopening_refusal(record)
    return refusal.detail if refusal else ""


def _close(context: ExecutionContext, record: Organization, form: CloseForm) -> str:
    organization = organization_close(
        context,
        organization_id=OrganizationId(record.pk),
        reason=form.cleaned_data["reason"],
        is_forced=form.cleaned_data["is_forced"],
    )
    until = reopens_until(organization.closed_at or clock.now())
    return f"{organization.name} is closed. It can be reopened until {until:%-d %B %Y}."


def _reopen(context: ExecutionContext, record: Organization, form: ReasonForm) -> str:
    organization = organization_reopen(
        context, organization_id=OrganizationId(record.pk), reason=form.cleaned_data["reason"]
    )
    return f"{organization.name} is open again."


CLOSING_VERBS = (
    OrganizationVerb(
        name="close",
        label="Close organization",
        description="Stops everything for this customer: credits, connectors, syncs, invitations. Nothing is deleted.",
        operation=CLOSE_OPERATION,
        icon="block",
        form_class=CloseForm,
        run=_close,
        refusal=_why_not_close,
        lines=_after_close,
        is_dangerous=True,
    ),
    OrganizationVerb(
        name="reopen",
        label="Reopen organization",
        description="Makes everything work again that closing has stopped. Possible for 90 days after the close.",
        operation=REOPEN_OPERATION,
        icon="lock_open",
        run=_reopen,
        refusal=_why_not_reopen,
        lines=_after_reopening,
    ),
)
