"""Reconciliation runs: what each compared and found, and what a person decides about one that stopped (spec 02)."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import display
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, badge, code, counts, happened, list_url, moment, number, record_link, short
from apps.backoffice.filters import choice_filter, text_filter
from apps.backoffice.pages.membership_drift import drift_list_url, organization_cell, person_cell, with_names
from apps.backoffice.panels import Fact, Panel, panel_of
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.core.ids import ReconciliationRunId
from apps.tenants.enums import ReconciliationStatus, ReportSource, StopReason
from apps.tenants.models import MembershipDrift, Product, ReconciliationRun
from apps.tenants.services import reconciliation_confirm, reconciliation_discard

RUN = "reconciliation.run"
_TONES: dict[str, Any] = {
    ReconciliationStatus.SUCCEEDED: "good",
    ReconciliationStatus.FAILED: "bad",
    ReconciliationStatus.WAITING: "warn",
    ReconciliationStatus.ABORTED: "bad",
    ReconciliationStatus.DISCARDED: "neutral",
}
STOPS = {
    StopReason.TRUNCATED: "It delivered fewer members than its own total says. Ask the product's team; a confirmed run "
    "lists everybody who is not in it as missing there.",
    StopReason.REPEATED: "It names members more than once. The lesser role counts if you confirm.",
    StopReason.UNSORTED: "It is not sorted by organization and user, so that a page may have been left out.",
    StopReason.MISCOUNTED: "It delivered more members than its own total says.",
    StopReason.SHRUNKEN: "More than 20 % and more than 20 members are gone since the last complete report, or all.",
    StopReason.FIRST_RUN: "It is the first complete report of this product, and would import more than 1,000 members.",
}


def _confirm(context: ExecutionContext, run: ReconciliationRun, form: ReasonForm) -> object:
    return reconciliation_confirm(context, run_id=ReconciliationRunId(run.pk), reason=form.cleaned_data["reason"])


def _discard(context: ExecutionContext, run: ReconciliationRun, form: ReasonForm) -> object:
    return reconciliation_discard(context, run_id=ReconciliationRunId(run.pk), reason=form.cleaned_data["reason"])


def _refusal(run: ReconciliationRun) -> str:
    return "" if run.status == ReconciliationStatus.WAITING else "This run does not wait for a decision."


RUN_VERBS = (
    Verb(
        name="confirm",
        label="Confirm",
        description="The report is right as it is. Members who are missing here are imported, and all differences are "
        "listed.",
        operation=RUN,
        icon="check",
        refusal=_refusal,
        run=_confirm,
        done="Confirmed. The run goes on now.",
        is_dangerous=True,
    ),
    Verb(
        name="discard",
        label="Discard",
        description="Drops this report. Nothing is imported, and the list of differences stays as it was.",
        operation=RUN,
        icon="delete",
        refusal=_refusal,
        run=_discard,
        done="Discarded. Nothing was changed.",
    ),
)


def run_badge(run: ReconciliationRun) -> SafeString:
    return badge(run.get_status_display(), _TONES.get(run.status, "info"))


class ReconciliationRunAdmin(StaffAdmin[ReconciliationRun]):
    """One comparison of a product's members with ours."""

    operation = "reconciliation.read"
    icon = "sync_alt"
    heading = "Reconciliation runs"
    about = "Each compares all members of a product with ours. Who is missing here is imported; differences are listed."
    ordering = ("-created_at",)
    list_select_related = ("product",)
    list_display = ("created", "named", "status_badge", "from_source", "result", "asked_by", "finished")
    list_filter = (
        text_filter("product", "product", field="product__slug", hint="Slug"),
        choice_filter("status", "status", lambda: ReconciliationStatus.choices),
        choice_filter("source", "source", lambda: ReportSource.choices),
    )
    search_ids = ("pk", "snapshot_id")
    search_help_text = "Id of the run or of the snapshot"
    verbs = RUN_VERBS

    @display(description="Product")
    def named(self, record: ReconciliationRun) -> SafeString:
        return record_link(record.product)

    @display(description="Status")
    def status_badge(self, record: ReconciliationRun) -> SafeString:
        return run_badge(record)

    @display(description="Source")
    def from_source(self, record: ReconciliationRun) -> str:
        return record.get_source_display()

    @display(description="Result")
    def result(self, record: ReconciliationRun) -> SafeString:
        if record.stop_reason and record.status == ReconciliationStatus.WAITING:
            return badge(record.get_stop_reason_display(), "warn")
        return short(record.error, 60) if record.error else happened(record.counts)

    @display(description="Requested by")
    def asked_by(self, record: ReconciliationRun) -> str:
        return record.requested_by

    @display(description="Finished")
    def finished(self, record: ReconciliationRun) -> SafeString:
        return moment(record.finished_at)

    @display(description="Created")
    def created(self, record: ReconciliationRun) -> SafeString:
        return moment(record.created_at)

    def title_of(self, record: ReconciliationRun) -> str:
        return f"Members of {record.product.name}, {record.created_at:%-d %B %Y, %H:%M}"

    def badges(self, record: ReconciliationRun) -> list[Any]:
        return [run_badge(record)]

    def facts(self, record: ReconciliationRun) -> list[Fact]:
        stop = STOPS[StopReason(record.stop_reason)] if record.stop_reason else ""
        return [
            Fact("Product", record_link(record.product)),
            Fact("Source", record.get_source_display()),
            Fact("Stopped because", record.get_stop_reason_display() or NOTHING, stop),
            Fact("Result", counts(record.counts), "Nothing is changed before the whole report is in and judged."),
            Fact("Members received", _received(record)),
            Fact("Pages or chunks", number(record.pages)),
            Fact("Step", NOTHING if record.finished_at else record.get_stage_display()),
            Fact("Error", record.error or NOTHING),
            Fact("Decided by", record.decided_by or NOTHING, record.decision_reason),
            Fact("Requested by", record.requested_by),
            Fact("Created", moment(record.created_at)),
            Fact("Started", moment(record.started_at)),
            Fact("Finished", moment(record.finished_at)),
            Fact("Snapshot", code(record.snapshot_id)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: ReconciliationRun) -> list[Panel]:
        drift = with_names(MembershipDrift.objects.filter(run=record)).order_by("-last_seen_at", "pk")
        found = panel_of(
            "Differences that this run found last",
            ("Class", "Person", "Organization", "There", "Here", "Decided"),
            drift,
            lambda row: (
                record_link(row, row.get_drift_class_display()),
                person_cell(row),
                organization_cell(row),
                row.get_reported_display(),
                row.get_our_role_display() or "No member",
                row.get_resolution_display() or "Open",
            ),
            empty="None. A later run may have taken them over.",
            link=drift_list_url(record.product.slug),
            icon="rule",
        )
        return [found, *changes_of_target(request, "reconciliation_run", record.pk)]


def _received(record: ReconciliationRun) -> str:
    if record.total is None:
        return number(record.received)
    return f"{number(record.received)} of {number(record.total)}"


def runs_panel(product: Product) -> Panel:
    """The product's latest runs, for its page."""
    return panel_of(
        "Reconciliation of members",
        ("Run", "Status", "Source", "Result"),
        ReconciliationRun.objects.filter(product=product).order_by("-created_at"),
        lambda run: (
            record_link(run, f"{run.created_at:%-d %b %Y, %H:%M}"),
            run_badge(run),
            run.get_source_display(),
            short(run.error, 60) if run.error else counts(run.counts),
        ),
        empty="Never yet. Until a product's members are compared with ours, people whom it never reported are refused "
        "with 403 not_a_member. Set its membership export, or have it push a snapshot.",
        link=list_url(ReconciliationRun, product=product.slug),
        icon="sync_alt",
    )
