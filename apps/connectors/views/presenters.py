"""What the connector pages show of connectors, months, runs and totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from apps.connectors.contracts import MonthBounds, OAuthServer, Provider
from apps.connectors.enums import AutoDisableReason, ConnectorStatus, CredentialKind, SyncStatus, SyncTrigger
from apps.connectors.forms import setting_label
from apps.connectors.ids import ConnectorId
from apps.connectors.messages import CAUSES, REMEDIES, describe_actor, format_count
from apps.connectors.models import Connector, SyncRun
from apps.connectors.oauth.client import is_configured
from apps.connectors.providers.registry import oauth_server_of, provider_classes, provider_label
from apps.connectors.rules.months import MonthDecision
from apps.connectors.rules.transitions import sources
from apps.connectors.selectors.records import CurrencyTotal, totals_by_month
from apps.connectors.services.timeline import describe_counts
from apps.connectors.services.trial import Trial
from apps.connectors.sync.queue import month_decisions
from apps.core.amounts import format_minor

_TONES = {
    ConnectorStatus.ENABLED: "good",
    ConnectorStatus.PENDING: "wait",
    ConnectorStatus.DISABLED: "off",
    ConnectorStatus.AUTO_DISABLED: "bad",
    ConnectorStatus.NEEDS_REAUTHORIZATION: "bad",
}
_RUN_TONES = {
    SyncStatus.QUEUED: "wait",
    SyncStatus.RUNNING: "wait",
    SyncStatus.SUCCEEDED: "good",
    SyncStatus.FAILED: "bad",
    SyncStatus.CANCELLED: "off",
}


class ConnectorCard:
    """A connector as the pages show it."""

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.status = ConnectorStatus(connector.status)
        self.provider = provider_label(connector.provider)

    @property
    def tone(self) -> str:
        return _TONES[self.status]

    @property
    def is_enabled(self) -> bool:
        return self.status is ConnectorStatus.ENABLED

    @property
    def credential_kind(self) -> CredentialKind:
        found = provider_classes().get(self.connector.provider)
        return found.credential_kind if found else CredentialKind.NONE

    @property
    def needs(self) -> str:
        """Where people get what its form asks for."""
        found = provider_classes().get(self.connector.provider)
        return found.needs if found else ""

    @property
    def server(self) -> OAuthServer | None:
        """Where a person authorizes it; None where it has a key or needs nothing."""
        return oauth_server_of(self.connector.provider)

    @property
    def waits_for_authorization(self) -> bool:
        """Whether it can't run before a person authorizes it."""
        return self.server is not None and self.status in sources("authorize")

    @property
    def authorize_url(self) -> str:
        """The address that starts an authorization; empty where none can be started on this installation."""
        server = self.server
        if server is None or not is_configured(server):
            return ""
        return f"{reverse(f'{server.name}-authorize')}?connector={self.connector.pk}"

    @property
    def settings(self) -> list[tuple[str, str]]:
        """Its settings under the labels of the form. They hold no secret."""
        found = provider_classes().get(self.connector.provider)
        fields = found.settings_form.model_fields if found else {}
        return [
            (setting_label(name, field), str(self.connector.settings[name]))
            for name, field in fields.items()
            if self.connector.settings.get(name) not in (None, "")
        ]

    @property
    def why(self) -> str:
        """Why it is off, and what to do; empty while it is enabled."""
        if self.connector.auto_disable_reason:
            reason = AutoDisableReason(self.connector.auto_disable_reason)
            return f"Switched off because {CAUSES[reason]}. {REMEDIES[reason]}"
        return {
            ConnectorStatus.PENDING: (
                f"Waiting for your authorization at {self.server.label}. Authorize it to start syncing."
                if self.server
                else "Waiting for an API key. Add it to start syncing."
            ),
            ConnectorStatus.DISABLED: "Disabled. Enable it to sync again.",
            ConnectorStatus.NEEDS_REAUTHORIZATION: (
                f"Authorize this connector again{f' at {self.server.label}' if self.server else ''}. "
                "Nothing is lost: the sync continues where it stopped."
            ),
        }.get(self.status, "")


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """A provider to choose. A template would call its class."""

    name: str
    label: str
    brings: str
    needs: str
    server: OAuthServer | None
    is_server_configured: bool


def provider_choice(provider: type[Provider]) -> ProviderChoice:
    server = provider.oauth_server
    is_server_configured = server is not None and is_configured(server)
    return ProviderChoice(provider.name, provider.label, provider.brings, provider.needs, server, is_server_configured)


@dataclass(frozen=True, slots=True)
class MonthLine:
    month: str
    status: str
    is_due: bool
    why: str
    read_at: datetime | None
    next_at: datetime | None
    totals: list[dict[str, str]]
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class RunLine:
    run: SyncRun
    tone: str
    label: str
    words: str
    who: str


def month_lines(connector: Connector, now: datetime, *, with_totals: bool = False) -> list[MonthLine]:
    """The months of the connector, newest first."""
    decisions = month_decisions(connector, now)
    names = [str(decision.month) for decision in decisions] if with_totals else []
    totals = totals_by_month(ConnectorId(connector.pk), names)
    return [_month_line(decision, totals.get(str(decision.month), []), now) for decision in reversed(decisions)]


def _month_line(decision: MonthDecision, totals: Sequence[CurrencyTotal], now: datetime) -> MonthLine:
    reading, next_at = decision.reading, decision.next_at
    return MonthLine(
        month=str(decision.month),
        status=decision.status.value,
        is_due=decision.is_due,
        why=decision.why,
        read_at=reading.read_at,
        # One that is to be read now waits for the connector's next turn, which the page tells above.
        next_at=next_at if next_at is not None and next_at > now else None,
        totals=total_lines(totals),
        is_waiting=reading.waits_since is not None,
    )


def describe_months(connector: Connector) -> str:
    """Whose calendar the months of the connector follow."""
    found = provider_classes().get(connector.provider)
    match found.month_bounds if found else MonthBounds.UTC:
        case MonthBounds.ORGANIZATION:
            return f"by the calendar of your organization ({connector.workspace.organization.time_zone})"
        case MonthBounds.PROVIDER:
            return f"as {provider_label(connector.provider)} invoices them"
    return "by the calendar in UTC"


def trial_lines(trial: Trial) -> list[dict[str, object]]:
    """The records of a trial as the page shows them."""
    return [
        {
            "record": tried.record,
            "month": str(tried.month),
            "category": tried.record.category.label.lower(),
            "kind": tried.record.kind.label,
            "amount": ""
            if tried.record.amount_minor is None
            else format_minor(tried.record.amount_minor, tried.record.currency, is_grouped=True),
        }
        for tried in trial.records
    ]


def run_lines(runs: Sequence[SyncRun], people: Mapping[str, str]) -> list[RunLine]:
    """The runs to show; `people` holds the names that the reader may see."""
    found = []
    for run in runs:
        status = SyncStatus(run.status)
        words, who = _describe_run(run, status), _describe_requester(run, people)
        found.append(RunLine(run, _RUN_TONES[status], status.label, words, who))
    return found


def _describe_requester(run: SyncRun, people: Mapping[str, str]) -> str:
    is_product = run.trigger == SyncTrigger.API
    return f"the product {run.actor_label}" if is_product else describe_actor(run.actor_label, people)


def _describe_run(run: SyncRun, status: SyncStatus) -> str:
    match status:
        case SyncStatus.QUEUED:
            return f"Waiting: {run.error}" if run.error else "Waiting for its turn."
        case SyncStatus.RUNNING:
            return f"{format_count(run.fetched, 'record')} read so far, {format_count(run.pages, 'page')}."
        case SyncStatus.SUCCEEDED:
            words = describe_counts(run)
            return f"{words[0].upper()}{words[1:]}."
        case _:
            return run.error


def total_lines(totals: Sequence[CurrencyTotal]) -> list[dict[str, str]]:
    return [
        {"amount": format_minor(total.amount_minor, total.currency, is_grouped=True), "records": f"{total.records:,}"}
        for total in totals
    ]
