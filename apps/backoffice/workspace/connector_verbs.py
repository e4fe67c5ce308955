"""Verbs of a connector, offered on its own page and on the page of its workspace (spec 06)."""

from __future__ import annotations

from apps.backoffice.verbs import ReasonForm, Verb
from apps.connectors.enums import ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.rules.transitions import sources
from apps.connectors.services import connector_disable, connector_enable
from apps.connectors.services.credentials import can_ask_reauthorization, connector_ask_reauthorization
from apps.connectors.services.lifecycle import DISABLE, EDIT
from apps.connectors.sync.guards import OPERATION as SYNC
from apps.connectors.sync.queue import sync_request
from apps.core.context import ExecutionContext
from apps.tenants.models import Organization


def _sync(context: ExecutionContext, connector: Connector, form: ReasonForm) -> str:
    answers = sync_request(context, connector_id=ConnectorId(connector.pk), reason=form.cleaned_data["reason"])
    months = ", ".join(answer.run.month for answer in answers)
    return f"Will be synced: {months}." if months else "Every month is final: there is nothing to sync."


def _organization_of(connector: Connector, form: ReasonForm) -> Organization:
    return connector.workspace.organization


def _unless(is_possible: bool, connector: Connector) -> str:
    return "" if is_possible else f"Not possible now: the connector is {connector.get_status_display().lower()}."


CONNECTOR_VERBS = (
    Verb(
        name="sync",
        label="Sync now",
        description="Reads every month that is not final, oldest first. A month that is being read is not read twice.",
        operation=SYNC,
        icon="sync",
        refusal=lambda row: _unless(row.status == ConnectorStatus.ENABLED, row),
        run=_sync,
        organization_of=_organization_of,
    ),
    Verb(
        name="reauthorize",
        label="Ask for re-authorization",
        description="Stops the connector until an admin of its organization has authorized it at Google again. They "
        "get an e-mail that says so.",
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
    Verb(
        name="enable",
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
    Verb(
        name="disable",
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
)
