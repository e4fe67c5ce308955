"""Verbs of a connector, offered on its own page and on the page of its workspace (spec 06)."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.backoffice.verbs import ReasonForm, Verb
from apps.backoffice.workspace.connector_preview import (
    ConnectorVerb,
    follows_asking,
    follows_disabling,
    follows_enabling,
    follows_sync,
)
from apps.connectors.contracts import Month
from apps.connectors.enums import ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.rules.transitions import sources
from apps.connectors.services import (
    ConnectorChanges,
    connector_disable,
    connector_enable,
    connector_remove,
    connector_update,
)
from apps.connectors.services.credentials import can_ask_reauthorization, connector_ask_reauthorization
from apps.connectors.services.lifecycle import DISABLE, EDIT
from apps.connectors.sync.guards import OPERATION as SYNC
from apps.connectors.sync.requests import months_waiting, shrink_confirm, shrink_reject, sync_request
from apps.core.context import ExecutionContext
from apps.tenants.models import Organization


def _sync(context: ExecutionContext, connector: Connector, form: ReasonForm) -> str:
    answers = sync_request(context, connector_id=ConnectorId(connector.pk), reason=form.cleaned_data["reason"])
    months = ", ".join(answer.run.month for answer in answers)
    return f"Will be synced: {months}." if months else "Every month is final: there is nothing to sync."


def _organization_of(connector: Connector, form: ReasonForm) -> Organization:
    return connector.workspace.organization


def _unless_removed(connector: Connector) -> str:
    return "The connector is removed." if connector.removed_at else ""


def _unless(is_possible: bool, connector: Connector) -> str:
    if connector.removed_at:
        return _unless_removed(connector)
    return "" if is_possible else f"Not possible now: the connector is {connector.get_status_display().lower()}."


class NameForm(ReasonForm):
    """Another name."""

    name = forms.CharField(label="Name", max_length=200, widget=UnfoldAdminTextInputWidget())

    def prepare(self) -> None:
        self.fields["name"].initial = self.record.name


class MonthForm(ReasonForm):
    """One of the months that wait."""

    month = forms.ChoiceField(label="Month", widget=UnfoldAdminSelectWidget())

    def prepare(self) -> None:
        self.fields["month"].choices = [  # type: ignore[attr-defined]
            (state.month, f"{state.month}: from {state.shrink_from or 0:,} to {state.shrink_to or 0:,} records")
            for state in months_waiting(self.record)
        ]


def _rename(context: ExecutionContext, connector: Connector, form: ReasonForm) -> None:
    changes = ConnectorChanges(name=form.cleaned_data["name"], reason=form.cleaned_data["reason"])
    connector_update(context, connector_id=ConnectorId(connector.pk), changes=changes)


def _confirm(context: ExecutionContext, connector: Connector, form: ReasonForm) -> None:
    shrink_confirm(context, **_answer(connector, form))


def _reject(context: ExecutionContext, connector: Connector, form: ReasonForm) -> None:
    shrink_reject(context, **_answer(connector, form))


def _answer(connector: Connector, form: ReasonForm) -> dict[str, Any]:
    month, reason = Month.read(form.cleaned_data["month"]), form.cleaned_data["reason"]
    return {"connector_id": ConnectorId(connector.pk), "month": month, "reason": reason}


def _unless_waiting(connector: Connector) -> str:
    return "" if months_waiting(connector) else "No month waits for an answer."


CONNECTOR_VERBS: tuple[Verb, ...] = (
    ConnectorVerb(
        name="sync",
        follows=follows_sync,
        label="Sync now",
        description="Reads every month that is not final, oldest first. A month that is being read is not read twice.",
        operation=SYNC,
        icon="sync",
        refusal=lambda row: _unless(row.status == ConnectorStatus.ENABLED, row),
        run=_sync,
        organization_of=_organization_of,
    ),
    Verb(
        name="confirm_month",
        label="Let a month shrink",
        description="Reads the month again and voids the records that its source no longer has.",
        operation=SYNC,
        icon="check",
        form_class=MonthForm,
        refusal=_unless_waiting,
        run=_confirm,
        done="The month is read again, and may become that small.",
        organization_of=_organization_of,
        is_dangerous=True,
    ),
    Verb(
        name="reject_month",
        label="Keep a month",
        description="Keeps the records that the source no longer has. The month is read again a day later.",
        operation=SYNC,
        icon="block",
        form_class=MonthForm,
        refusal=_unless_waiting,
        run=_reject,
        done="The records stay. The month is read again in a day.",
        organization_of=_organization_of,
    ),
    Verb(
        name="rename",
        label="Rename",
        description="Gives the connector another name. Its address and its key are its organization's to change.",
        operation=EDIT,
        icon="edit",
        form_class=NameForm,
        refusal=_unless_removed,
        run=_rename,
        done="The connector has another name.",
        organization_of=_organization_of,
    ),
    ConnectorVerb(
        name="reauthorize",
        follows=follows_asking,
        label="Ask for re-authorization",
        description="Stops the connector until an admin of its organization has authorized it at Google again. "
        "Those who get its mails about connectors are told.",
        submit="Ask for it",
        operation=EDIT,
        icon="key",
        refusal=lambda row: "" if can_ask_reauthorization(row) else "This connector can't be authorized again now.",
        run=lambda context, row, form: connector_ask_reauthorization(
            context, connector_id=ConnectorId(row.pk), reason=form.cleaned_data["reason"]
        ),
        done="The connector waits for its authorization. The organization's admins are told by e-mail.",
        organization_of=_organization_of,
        is_dangerous=True,
    ),
    ConnectorVerb(
        name="enable",
        follows=follows_enabling,
        label="Enable",
        description="Runs the connector again with its next sync. Refused while an outside cause keeps it off.",
        operation=EDIT,
        icon="play_arrow",
        refusal=lambda row: _unless(row.status in sources("enable"), row),
        run=lambda context, row, form: connector_enable(
            context, connector_id=ConnectorId(row.pk), reason=form.cleaned_data["reason"]
        ),
        done="The connector is no longer disabled.",
        organization_of=_organization_of,
    ),
    ConnectorVerb(
        name="disable",
        follows=follows_disabling,
        label="Disable",
        description="Stops the connector until a person enables it again.",
        operation=DISABLE,
        icon="stop",
        refusal=lambda row: _unless(row.status in sources("disable"), row),
        run=lambda context, row, form: connector_disable(
            context, connector_id=ConnectorId(row.pk), reason=form.cleaned_data["reason"]
        ),
        done="The connector is disabled.",
        organization_of=_organization_of,
        is_dangerous=True,
    ),
    Verb(
        name="remove",
        label="Remove",
        description="Takes the connector off every list, deletes its key and frees its name. Its records stay.",
        operation=DISABLE,
        icon="delete",
        refusal=_unless_removed,
        run=lambda context, row, form: connector_remove(
            context, connector_id=ConnectorId(row.pk), reason=form.cleaned_data["reason"]
        ),
        done="The connector is removed. Its records stay.",
        organization_of=_organization_of,
        is_dangerous=True,
    ),
)
