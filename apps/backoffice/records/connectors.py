"""How pages show connectors and syncs."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, Tone, badge, moment, record_link
from apps.backoffice.panels import Row
from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.models import Connector, SyncRun
from apps.connectors.services.timeline import describe_counts
from apps.core.texts import make_visible

_TONES: dict[str, Tone] = {
    ConnectorStatus.PENDING: "info",
    ConnectorStatus.ENABLED: "good",
    ConnectorStatus.DISABLED: "neutral",
    ConnectorStatus.AUTO_DISABLED: "bad",
    ConnectorStatus.NEEDS_REAUTHORIZATION: "warn",
}

_RUN_TONES: dict[str, Tone] = {
    SyncStatus.QUEUED: "info",
    SyncStatus.RUNNING: "info",
    SyncStatus.SUCCEEDED: "good",
    SyncStatus.FAILED: "bad",
    SyncStatus.CANCELLED: "neutral",
}


def connector_badge(connector: Connector) -> SafeString:
    """The status; for an auto-disabled connector also the reason."""
    shown = badge(connector.get_status_display(), _TONES[connector.status])
    if not connector.auto_disable_reason:
        return shown
    return format_html("{} {}", shown, badge(connector.get_auto_disable_reason_display(), "neutral"))


def describe_credential(connector: Connector) -> SafeString:
    """The kind of credential, with at most the last four characters of a key."""
    credential = getattr(connector, "credential", None)
    if credential is None:
        return NOTHING
    ending = f", ends in {credential.last_four}" if credential.last_four else ""
    return format_html("{}{}", credential.get_kind_display(), ending)


def run_badge(run: SyncRun) -> SafeString:
    return badge(run.get_status_display(), _RUN_TONES[run.status])


def run_row(run: SyncRun) -> Row:
    """One row of a table of syncs."""
    month = format_html('<span class="ch-time">{}</span>', record_link(run, run.month))
    brought = describe_counts(run) if run.pages else NOTHING
    return month, run_badge(run), make_visible(run.error) or brought, run.actor_label, moment(run.created_at)
