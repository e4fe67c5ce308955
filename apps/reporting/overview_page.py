"""The Overview page of a workspace: what a person wants to know first (spec 07, Pages)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse

from apps.connectors.views.presenters import ConnectorCard
from apps.core import clock
from apps.core.amounts import divide_half_away, round_to_quantum, show_micro
from apps.core.ids import WorkspaceId
from apps.core.moments import write_day, zone_of
from apps.credits.messages import grant_name
from apps.credits.models import CreditAccount
from apps.credits.rules.forecast import Forecast
from apps.credits.selectors.forecast import forecast_of
from apps.credits.selectors.ledger import account_of
from apps.credits.selectors.statement import grants_with_rest
from apps.credits.services import account_apply_due
from apps.reporting.selectors.overview import (
    ConnectorTrouble,
    MonthAgainstLast,
    connectors_in_trouble,
    last_report,
    month_against_last,
)
from apps.subscriptions.commercial_facts import Calendar, subscription_facts
from apps.subscriptions.messages import days_from, words_of
from apps.subscriptions.rules.lifecycle import resolve
from apps.subscriptions.selectors.lifecycle import workspace_facts
from apps.subscriptions.selectors.records import workspace_subscription_of
from apps.tenants.pages import BillingPage, dues_of, page_url

# Credits that end later than this need nobody yet.
_SOON = timedelta(days=30)
_SHORT_RUNWAY_DAYS = 14
_LONGEST_TOLD_DAYS = 365
_SHOWN_PACE = 10_000


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that needs a person: what, more about it, and the page where it is done."""

    title: str
    text: str
    page: str
    link: str
    is_urgent: bool = False
    connector_id: Any = None


class OverviewPage(BillingPage):
    """State, balance and runway, this month against the last, and what needs somebody."""

    operations: ClassVar[dict[str, str]] = {"GET": "overview.read"}
    page = "overview"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page. Whatever has come due is done before anything is shown."""
        account_apply_due(self.execution_context, account_id=self.organization_id)
        zone, now = zone_of(self.workspace.organization.time_zone), clock.now()
        account = account_of(self.organization_id)
        told = forecast_of(account, now=now, zone=zone) if account else None
        facts = {
            **self._state(zone),
            **(_credits(account, told, zone, now) if account and told else {}),
            "month": _month(month_against_last(self.organization_id)),
            "dues": dues_of(self.organization_id),
            "tasks": [*self._credit_tasks(account, told, zone, now), *self._connector_tasks()],
            "reports_url": page_url(self.execution_context, "daily-reports", workspace_slug),
            "report": last_report(self.organization_id),
            "members_url": page_url(self.execution_context, "members", workspace_slug),
        }
        return self.render("reporting/overview.html", facts, title="Overview")

    def _state(self, zone: tzinfo) -> dict[str, Any]:
        workspace_id = WorkspaceId(self.workspace.pk)
        facts = workspace_facts(workspace_id)
        decision = resolve(facts)
        record = workspace_subscription_of(workspace_id)
        lines = subscription_facts(record, Calendar(facts.at, zone)) if record else []
        shown = ("Plan", "Trial ends", "Current period", "Ended", "After this period", "After the trial")
        return {
            "words": words_of(facts, decision, zone=zone),
            "state": decision.state.value,
            "subscription": [line for line in lines if line.term in shown],
        }

    def _credit_tasks(
        self, account: CreditAccount | None, told: Forecast | None, zone: tzinfo, now: datetime
    ) -> list[Task]:
        if account is None or told is None:
            return []
        if account.balance - account.held + account.overdraft_limit <= 0:
            text = "Whatever costs credits is refused until credits are added."
            return [Task("No credits are left", text, "billing-credits", "Credits", is_urgent=True)]
        tasks = []
        if told.days is not None and told.days <= _SHORT_RUNWAY_DAYS:
            left = f"At the present pace they last {_days(told.days)}."
            tasks.append(Task("Credits are running out", left, "billing-credits", "Credits", is_urgent=True))
        named = {grant.pk: grant for grant in grants_with_rest(account.pk, now)}
        for lapse in told.lapses:
            if lapse.at <= now + _SOON:
                amount = show_micro(round_to_quantum(lapse.amount, 1, _SHOWN_PACE))
                text = f"Of {grant_name(named[lapse.grant_id], zone)}; they end on {write_day(lapse.at, zone)}."
                title = f"{amount} credits will expire unused {days_from(now, lapse.at, zone)}"
                tasks.append(Task(title, text, "billing-credits", "Credits"))
        return tasks

    def _connector_tasks(self) -> list[Task]:
        return [_connector_task(trouble) for trouble in connectors_in_trouble(WorkspaceId(self.workspace.pk))]


def _connector_task(trouble: ConnectorTrouble) -> Task:
    card, name = ConnectorCard(trouble.connector), trouble.connector.name
    if not card.is_enabled:
        title, text = f"{name}: {trouble.connector.get_status_display().lower()}", card.why
    elif trouble.waits_for_answer:
        title, text = (
            f"{name}: may a month shrink?",
            "A month would lose most of its records. It waits for your answer.",
        )
    else:
        title, text = f"{name}: the last sync failed", "It is tried again by itself; its page says what went wrong."
    is_urgent = trouble.is_failing or card.tone == "bad"
    return Task(title, text, "billing-connector", "Open the connector", is_urgent, trouble.connector.pk)


def _credits(account: CreditAccount, told: Forecast, zone: tzinfo, now: datetime) -> dict[str, Any]:
    available = account.balance - account.held + account.overdraft_limit
    is_short = told.days is not None and told.days <= _LONGEST_TOLD_DAYS
    return {
        "has_account": True,
        "available": show_micro(available),
        "is_low": available <= 0,
        "pace": show_micro(round_to_quantum(told.a_day, 1, _SHOWN_PACE)),
        "lasts": "" if told.days is None else _days(told.days),
        "until": write_day(now + timedelta(days=told.days), zone) if is_short and told.days else "",
    }


def _days(days: int) -> str:
    if days > _LONGEST_TOLD_DAYS:
        return "more than a year"
    return "less than a day" if days == 0 else f"about {days} day{'' if days == 1 else 's'}"


def _month(found: MonthAgainstLast) -> dict[str, str]:
    """This month in words, and how much more or less that is than by the same day of the last one."""
    change = ""
    if found.same_days > 0:
        percent = divide_half_away((found.so_far - found.same_days) * 100, found.same_days)
        change = "as much as" if percent == 0 else f"{abs(percent):,} % {'more' if percent > 0 else 'less'} than"
    return {
        "name": f"{found.until:%B %Y}",
        "so_far": show_micro(found.so_far),
        "same_days": show_micro(found.same_days),
        "whole": show_micro(found.whole),
        "change": change,
    }
