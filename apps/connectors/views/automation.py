"""Automation: scheduled syncs, due months, results, and a sync by hand (spec 08, Billing pages)."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.connectors.messages import describe_actor
from apps.connectors.selectors.connectors import connectors_of_workspace
from apps.connectors.selectors.syncs import latest_sync_runs
from apps.connectors.views.base import ConnectorsPage
from apps.connectors.views.presenters import ConnectorCard, month_lines, run_lines
from apps.core import clock
from apps.core.jobs import job_run_request
from apps.core.models import JobRun
from apps.tenants.pages import page_url
from apps.tenants.selectors.members import people_for_tenant

JOB = "billing-sync"
_RUNS_SHOWN = 15
_JOBS_SHOWN = 10


class Automation(ConnectorsPage):
    """Syncs and the history of the jobs that ran for this organization."""

    operations: ClassVar[dict[str, str]] = {"GET": "connectors.read", "POST": "jobs.billing_sync"}
    page = "automation"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page. While a sync is active, a script reloads it."""
        now = clock.now()
        runs = list(latest_sync_runs(self.workspace_id, most=_RUNS_SHOWN))
        syncs = [
            (ConnectorCard(connector), [line for line in month_lines(connector, now) if line.is_due])
            for connector in connectors_of_workspace(self.workspace_id)
        ]
        # Runs for all organizations are the platform's.
        jobs = list(
            JobRun.objects.filter(organization_id=self.organization_id, name=JOB).order_by("-created_at")[:_JOBS_SHOWN]
        )
        people = people_for_tenant(
            self.organization_id, [*(run.actor_label for run in runs), *(job.actor_label for job in jobs)]
        )
        facts = {
            "syncs": syncs,
            "runs": run_lines(runs, people),
            "may_cancel": self.may("connector.sync"),
            "is_active": any(run.finished_at is None for run in runs),
            "jobs": [(job, describe_actor(job.actor_label, people)) for job in jobs],
            "reports_url": page_url(self.execution_context, "daily-reports", workspace_slug),
            "may_run": self.may("jobs.billing_sync") and self.may("connector.sync"),
            "obstacle": self.obstacle("jobs.billing_sync") or self.obstacle("connector.sync"),
        }
        return self.render("connectors/automation.html", facts, title="Automation")

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Run the job for this organization now."""
        job_run_request(
            self.execution_context,
            name=JOB,
            organization_id=self.organization_id,
            include_demo=self.workspace.organization.is_demo,
        )
        messages.success(request, "The sync was started. Each connector reads its months, oldest first.")
        return HttpResponseRedirect(reverse("billing-automation", args=[workspace_slug]))
