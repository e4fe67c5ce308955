"""The page of all jobs, and the dialog that runs one now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from apps.backoffice.cells import ago, badge, happened, list_url
from apps.backoffice.pages.job_runs import run_badge
from apps.backoffice.pages.lookups import find_organization
from apps.backoffice.staff import may, require_may
from apps.backoffice.verbs import ReasonForm, Verb, run_verb
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.jobs import JobDefinition, job_of, job_run_request, jobs
from apps.core.models import JobRun
from apps.core.states import JobRunStatus
from apps.payments.models import ReconciliationCursor
from apps.tenants.models import Organization

# How far back the page looks, so that a job that never succeeds does not make it read every run.
HORIZON = timedelta(days=8)


class RunJobForm(ReasonForm):
    """The organization to run the job for, if only one."""

    organization = forms.CharField(
        required=False,
        max_length=80,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Id or slug"}),
        help_text="Leave empty for every organization.",
    )
    include_demo = forms.BooleanField(label="Demo organizations too", required=False, widget=UnfoldBooleanWidget)

    def found(self) -> Organization | None:
        """The chosen organization, or None for all; raises `UnprocessableError` if it does not exist."""
        named = str(self.cleaned_data["organization"])
        return find_organization(named) if named.strip() else None


@dataclass(frozen=True, slots=True)
class JobCard:
    """One job as its page shows it. `run_url` is empty if the user may not start it."""

    name: str
    cadence: str
    last_run: JobRun | None
    last_badge: SafeString
    last_ago: SafeString
    succeeded_ago: SafeString
    result: SafeString
    runs_url: str
    run_url: str
    note: str = ""

    @property
    def needs_a_look(self) -> bool:
        """Whether its last run failed, or it has none."""
        return self.last_run is None or self.last_run.status == JobRunStatus.FAILED


def job_cards(request: HttpRequest) -> list[JobCard]:
    """Every job with its last run and last success, from two queries however many jobs there are."""
    last, succeeded = _latest_runs(), _latest_runs(status=JobRunStatus.SUCCEEDED)
    return [_card(request, definition, last, succeeded) for definition in jobs()]


def _latest_runs(**conditions: object) -> dict[str, JobRun]:
    recent = JobRun.objects.filter(created_at__gte=clock.now() - HORIZON, **conditions).order_by("-created_at")
    first, *others = [recent.filter(name=definition.name)[:1] for definition in jobs()]
    return {run.name: run for run in first.union(*others, all=True)}


def _card(
    request: HttpRequest, definition: JobDefinition, last: dict[str, JobRun], succeeded: dict[str, JobRun]
) -> JobCard:
    run, success = last.get(definition.name), succeeded.get(definition.name)
    may_start = may(request, definition.operation)
    return JobCard(
        name=definition.name,
        cadence=_cadence_text(definition),
        last_run=run,
        last_badge=run_badge(run) if run else badge("No recent run", "warn"),
        last_ago=ago(run.created_at if run else None),
        succeeded_ago=ago(success.finished_at if success else None),
        result=happened(success.counts if success else {}),
        runs_url=list_url(JobRun, name=definition.name),
        run_url=reverse("admin:run_job", args=(definition.name,)) if may_start else "",
        note=_NOTES[definition.name]() if definition.name in _NOTES else "",
    )


def _reconciliation_note() -> str:
    """How far each provider's list of events was compared."""
    return " ".join(_how_far(cursor) for cursor in ReconciliationCursor.objects.order_by("provider"))


def _how_far(cursor: ReconciliationCursor) -> str:
    name = cursor.get_provider_display()
    done = f"{name}: compared until {cursor.done_until:%-d %B %Y, %H:%M} UTC." if cursor.done_until else ""
    if cursor.begun_at is None:
        return done
    reached = f"has reached back to {cursor.reached_at:%-d %B %Y, %H:%M} UTC" if cursor.reached_at else "has just begun"
    return f"{done} {name}: a run {reached}, and the next one goes on there.".strip()


# What a job's card says of how far its work has come.
_NOTES: dict[str, Callable[[], str]] = {"reconcile-payments": _reconciliation_note}


def _cadence_text(definition: JobDefinition) -> str:
    minutes = int(definition.cadence.every.total_seconds()) // 60
    days, hours = divmod(minutes, 24 * 60), divmod(minutes, 60)
    for (count, rest), unit in ((days, "day"), (hours, "hour"), ((minutes, 0), "minute")):
        if count and not rest:
            return f"every {unit}" if count == 1 else f"every {count} {unit}s"
    return f"every {minutes} minutes"


def job_routes(guarded: Callable[..., Any]) -> list[URLPattern]:
    return [
        path("jobs/", guarded(require_safe(jobs_page)), name="jobs"),
        path("jobs/<slug:name>/run/", guarded(require_http_methods(["GET", "POST"])(run_job)), name="run_job"),
    ]


def jobs_page(request: HttpRequest) -> HttpResponse:
    require_may(request, "jobs.read")
    context = {**admin.site.each_context(request), "title": "Jobs", "cards": job_cards(request)}
    return TemplateResponse(request, "backoffice/jobs.html", context)


def run_job(request: HttpRequest, name: str) -> HttpResponse:
    """Queue one run of a job. Needs `jobs.start` and the job's own operation."""
    definition = job_of(name)
    if definition is None:
        raise Http404(f"There is no job {name}.")
    require_may(request, "jobs.start")
    require_may(request, definition.operation)
    verb = Verb(
        name="run_job",
        label=f"Run {name} now",
        description="Queues one run; the schedule stays as it is. Work that is already done is not repeated.",
        submit="Run now",
        operation=definition.operation,
        icon="play_arrow",
        form_class=RunJobForm,
        run=_run_job,
        organization_of=lambda definition, form: form.found(),
    )
    return run_verb(request, verb, definition, done_url=list_url(JobRun, name=name))


def _run_job(context: ExecutionContext, definition: JobDefinition, form: RunJobForm) -> str:
    run = job_run_request(
        context,
        name=definition.name,
        organization_id=context.organization_id,
        include_demo=form.cleaned_data["include_demo"],
        reason=form.cleaned_data["reason"],
    )
    if run.status == JobRunStatus.SKIPPED:
        return f"{run.name} was not run. {run.error}"
    return f"{run.name} is queued."
