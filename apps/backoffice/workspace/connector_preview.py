"""Verbs of a connector whose preview is the change itself, made and rolled back, with what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.backoffice.verbs import Change, ChangeGroup, Preview, Verb
from apps.connectors.enums import ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.messages import format_count
from apps.connectors.models import Connector
from apps.connectors.selectors.connectors import connector_of
from apps.connectors.selectors.syncs import active_runs
from apps.connectors.sync.queue import month_decisions
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.moments import write_months
from apps.core.rehearsals import rehearsal
from apps.subscriptions.selectors.lifecycle import workspace_lifecycle
from apps.tenants.enums import NoticeKind
from apps.tenants.selectors.notices import notice_emails


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorVerb(Verb):
    """`follows` says, of the connector as it is after the change and of the outcome, what comes of it."""

    follows: Callable[[Connector, Any], Sequence[str]]

    @property
    def is_previewed(self) -> bool:
        return True

    def preview(self, context: ExecutionContext, record: Connector, form: Any) -> Preview:
        """Run the change, say what has become of the connector, and roll it back."""
        before = record.get_status_display()
        with rehearsal():
            outcome = self.run(context, record, form)
            after = connector_of(ConnectorId(record.pk))
            lines = list(self.follows(after, outcome))
        return Preview([ChangeGroup("", [Change("Status", before, after.get_status_display())])], lines=lines)


def follows_sync(connector: Connector, told: str) -> list[str]:
    """The months that are read; the service has made the sentence."""
    return [write_months(told), "What a month brings is written page by page."]


def follows_enabling(connector: Connector, outcome: object) -> list[str]:
    """Which months are read then, and whether they may be."""
    if connector.status != ConnectorStatus.ENABLED:
        return ["It reads nothing before its organization has given it a key or an authorization."]
    due = [str(decision.month) for decision in month_decisions(connector, clock.now()) if decision.is_due]
    if not due:
        lines = ["Every month is final: it reads the next one when that begins."]
    else:
        months = due[0] if len(due) == 1 else f"{due[0]} to {due[-1]}"
        lines = [write_months(f"It reads {format_count(len(due), 'month')} at once: {months}.")]
    if not workspace_lifecycle(WorkspaceId(connector.workspace_id)).operations().get("connector.sync", False):
        lines.append("Nothing is read while the workspace may not sync.")
    return lines


def follows_disabling(connector: Connector, outcome: object) -> list[str]:
    """What stops, and what it takes to start again."""
    return [*_runs_that_end(connector), "It stays disabled until a person enables it. Its records stay."]


def follows_asking(connector: Connector, outcome: object) -> list[str]:
    """What stops, and who is asked."""
    asked = len(notice_emails(OrganizationId(connector.workspace.organization_id), NoticeKind.CONNECTORS))
    whom = "1 person" if asked == 1 else f"{asked} people"
    told = f"An e-mail asks {whom} to authorize it again." if asked else "Nobody is told: no active member gets mails."
    return [*_runs_that_end(connector), told, "Nothing is lost: the sync goes on where it stopped."]


def _runs_that_end(connector: Connector) -> list[str]:
    count = active_runs(ConnectorId(connector.pk)).count()
    if not count:
        return []
    return ["1 sync ends before its next page." if count == 1 else f"{count} syncs end before their next pages."]
