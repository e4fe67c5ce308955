"""The overview page. Counts stop at a limit, so that the page stays fast at any size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.backoffice.cells import list_url, moment, record_link, short
from apps.backoffice.pages.inbox import event_badge
from apps.backoffice.pages.job_runs import run_badge
from apps.backoffice.pages.jobs import job_cards
from apps.backoffice.pages.outbox import why_not_done
from apps.backoffice.pages.tasks import task_panel
from apps.backoffice.paginator import COUNT_LIMIT
from apps.backoffice.panels import Panel, panel_of
from apps.backoffice.staff import may
from apps.core import clock
from apps.core.models import JobRun, OutboxItem
from apps.core.outbox import outbox_alarming
from apps.core.states import JobRunStatus, OutboxStatus
from apps.payments.enums import WebhookStatus
from apps.payments.models import Review, WebhookEvent
from apps.tenants.models import Organization, User, Workspace

LOOKED_BACK = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Figure:
    """A count that links to its list. `needs_attention` marks one that should be zero and is not."""

    label: str
    value: str
    link: str
    icon: str
    needs_attention: bool = False


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """Return the template's context; panels that the viewer may not read are left out."""
    parked = outbox_alarming()
    events_parked = WebhookEvent.objects.filter(status=WebhookStatus.FAILED)
    unmatched = WebhookEvent.objects.filter(status=WebhookStatus.UNMATCHED)
    failed = JobRun.objects.filter(status=JobRunStatus.FAILED, created_at__gte=clock.now() - LOOKED_BACK)
    workspaces = Workspace.objects.filter(organization__is_synthetic=False)
    return {
        "tasks": task_panel(request),
        "figures": [
            _figure("Parked events", events_parked, list_url(WebhookEvent, status="failed"), "inbox", alarming=True),
            _figure("Unmatched events", unmatched, list_url(WebhookEvent, status="unmatched"), "help", alarming=True),
            _figure("Needs review", Review.objects.all(), list_url(Workspace, review="yes"), "rule", alarming=True),
            _figure(
                "Failed calls",
                parked,
                list_url(OutboxItem, status=OutboxStatus.PARKED, dismissed="no"),
                "outbox",
                alarming=True,
            ),
            _figure("Failed jobs, 24 h", failed, list_url(JobRun, status="failed"), "event_busy", alarming=True),
            _figure("Organizations", Organization.objects.filter(is_synthetic=False), list_url(Organization), "domain"),
            _figure("Workspaces", workspaces, list_url(Workspace), "workspaces"),
            _figure("Users", User.objects.all(), list_url(User), "person"),
        ],
        "queues": [
            *_events_panel(request),
            *_parked_panel(request, parked),
            *_failed_panel(request, failed),
        ],
        **_jobs(request),
    }


def _jobs(request: HttpRequest) -> dict[str, Any]:
    """The jobs that somebody should look at; that the others run needs nobody."""
    if not may(request, "jobs.read"):
        return {}
    cards = job_cards(request)
    return {"cards": [card for card in cards if card.needs_a_look], "jobs_count": len(cards)}


def _figure(label: str, records: QuerySet[Any, Any], link: str, icon: str, *, alarming: bool = False) -> Figure:
    counted = records.order_by().values("pk")[: COUNT_LIMIT + 1].count()
    value = f"{COUNT_LIMIT:,}+" if counted > COUNT_LIMIT else f"{counted:,}"
    return Figure(label, value, link, icon, needs_attention=alarming and counted > 0)


def _events_panel(request: HttpRequest) -> list[Panel]:
    if not may(request, "webhook_events.read"):
        return []
    waiting = WebhookEvent.objects.filter(status__in=(WebhookStatus.FAILED, WebhookStatus.UNMATCHED))
    return [
        panel_of(
            "Stripe and Orb events to check",
            ("Event", "Status", "Why", "Received"),
            waiting.defer("payload", "body").order_by("-received_at"),
            lambda event: (
                record_link(event, event.type),
                event_badge(event),
                short(event.error, 90),
                moment(event.received_at),
            ),
            empty="Nothing to check. Every event was processed or is in the queue.",
            link=list_url(WebhookEvent),
            icon="inbox",
        )
    ]


def _parked_panel(request: HttpRequest, parked: QuerySet[OutboxItem]) -> list[Panel]:
    if not may(request, "outbox.read"):
        return []
    return [
        panel_of(
            "Failed outgoing calls",
            ("Call", "Why", "Since"),
            parked.order_by("-created_at"),
            lambda item: (record_link(item, item.kind), short(why_not_done(item), 90), moment(item.finished_at)),
            empty="No failed calls. Every call was made or is in the queue.",
            link=list_url(OutboxItem, status=OutboxStatus.PARKED, dismissed="no"),
            icon="outbox",
        )
    ]


def _failed_panel(request: HttpRequest, failed: QuerySet[JobRun]) -> list[Panel]:
    if not may(request, "jobs.read"):
        return []
    return [
        panel_of(
            "Failed job runs, last 24 hours",
            ("Job", "Status", "Error", "Finished"),
            failed.order_by("-created_at"),
            lambda run: (record_link(run, run.name), run_badge(run), short(run.error, 80), moment(run.finished_at)),
            empty="No job failed in the last 24 hours.",
            link=list_url(JobRun, status="failed"),
            icon="event_busy",
        )
    ]
