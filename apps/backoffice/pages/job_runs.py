"""Job runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import (
    NOTHING,
    badge,
    code,
    counts,
    happened,
    link,
    moment,
    number,
    page_url_of,
    short,
    title_and_slug,
)
from apps.backoffice.filters import choice_filter, days_filter, of_customers, organization_filter
from apps.backoffice.pages.lookups import organization_name
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff_admin import StaffAdmin
from apps.core.jobs import jobs
from apps.core.models import JobRun
from apps.core.states import JobRunStatus, JobTrigger
from apps.tenants.models import Organization

_TONES: dict[str, Any] = {
    JobRunStatus.QUEUED: "info",
    JobRunStatus.RUNNING: "info",
    JobRunStatus.SUCCEEDED: "good",
    JobRunStatus.FAILED: "bad",
    JobRunStatus.SKIPPED: "neutral",
}


def run_badge(run: JobRun) -> SafeString:
    return badge(run.get_status_display(), _TONES[run.status])


class JobRunAdmin(StaffAdmin[JobRun]):
    """One row for each run, unique by job and slot."""

    operation = "jobs.read"
    is_history = True
    icon = "event_repeat"
    heading = "Job runs"
    about = "One row for each run. Each scheduled time runs once, even if the scheduler repeats it or a worker stops."
    ordering = ("-created_at",)
    list_display = ("named", "status_badge", "started_by", "tenant", "result", "finished", "created")
    listed = of_customers("organization_id")
    list_filter = (
        choice_filter("name", "job", lambda: [(definition.name, definition.name) for definition in jobs()]),
        choice_filter("status", "status", lambda: JobRunStatus.choices),
        choice_filter("trigger", "started by", lambda: JobTrigger.choices),
        organization_filter("organization_id"),
        days_filter("created_at", "created"),
    )
    search_ids = ("pk", "organization_id")
    search_words: ClassVar[dict[str, Callable[[], Iterable[str]]]] = {
        "name": lambda: (definition.name for definition in jobs())
    }
    search_help_text = "Id or beginning of the job's name"

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobRun]:
        return super().get_queryset(request).annotate(organization_name=organization_name())

    @display(description="Job")
    def named(self, record: JobRun) -> SafeString:
        return title_and_slug(record.name, _slot_text(record))

    @display(description="Status")
    def status_badge(self, record: JobRun) -> SafeString:
        return run_badge(record)

    @display(description="Started by")
    def started_by(self, record: JobRun) -> str:
        return record.get_trigger_display() if record.trigger == JobTrigger.SCHEDULE else record.actor_label

    @display(description="Organization")
    def tenant(self, record: Any) -> SafeString | str:
        if record.organization_id is None:
            return "All"
        url = page_url_of(Organization, record.organization_id)
        return link(url, record.organization_name or record.organization_id)

    @display(description="Result")
    def result(self, record: JobRun) -> SafeString:
        return short(record.error, 60) if record.error else happened(record.counts)

    @display(description="Finished")
    def finished(self, record: JobRun) -> SafeString:
        return moment(record.finished_at)

    @display(description="Created")
    def created(self, record: JobRun) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: JobRun) -> list[Any]:
        return [run_badge(record)]

    def title_of(self, record: JobRun) -> str:
        return f"{record.name}, {_slot_text(record)}"

    def facts(self, record: JobRun) -> list[Fact]:
        return [
            Fact("Job", code(record.name)),
            Fact("Slot", code(record.slot), "The scheduled time (UTC), or a manual run."),
            Fact("Started by", f"{record.get_trigger_display()}: {record.actor_label}"),
            Fact("As", record.get_role_display()),
            Fact("Organization", self.tenant(record)),
            Fact("Demo organizations", "Included" if record.include_demo else "Not included"),
            Fact("Counts", counts(record.counts)),
            Fact("Error", record.error or NOTHING),
            Fact("Tries", number(record.attempts)),
            Fact("Created", moment(record.created_at)),
            Fact("Started", moment(record.started_at)),
            Fact("Finished", moment(record.finished_at)),
            Fact("Request", code(record.request_id)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: JobRun) -> list[Panel]:
        return changes_of_target(request, "job_run", record.pk)


def _slot_text(run: JobRun) -> str:
    return "manual run" if run.slot_at is None else run.slot
