"""Stored daily reports on the staff plane: the platform's beside its books, and those of an organization by day.

A page is also where its files are: `?download=csv` or `xlsx`. Staff make a new revision in a dialog (spec 07).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db import DEFAULT_DB_ALIAS
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_safe
from unfold.widgets import UnfoldBooleanWidget

from apps.backoffice.cells import page_url
from apps.backoffice.staff import may, require_may
from apps.backoffice.verbs import ReasonForm, Verb, run_verb
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.moments import in_zone, zone_of
from apps.core.replica import history_source
from apps.reporting.models import DailyReport
from apps.reporting.rules.presenting import day_in_words
from apps.reporting.services.daily_reports import REVISE_OPERATION, daily_report_revise
from apps.reporting.showing import ShownReport, asked_day, shown_report
from apps.tenants.models import Organization

_NO_REPORT = "There is no report of this day. Reports are made an hour after their day has ended."


class ReviseForm(ReasonForm):
    """Whether the recipients get it, and the newest revision that whoever asks has seen."""

    after_revision = forms.IntegerField(widget=forms.HiddenInput())
    is_mailed = forms.BooleanField(
        label="Mail it to the recipients",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Without this it stands on the pages alone.",
    )


@dataclass(frozen=True, slots=True)
class _DayOf:
    """What the dialog is about: a day of an organization, or of the platform, and its newest report."""

    organization: Organization | None
    day: date | None
    newest: DailyReport | None


def daily_report_routes(guarded: Callable[..., Any]) -> list[URLPattern]:
    """The pages of an organization's reports, and the dialogs that make a revision."""
    dialog = guarded(require_http_methods(["GET", "POST"])(revise_report))
    return [
        path("reports/revise/", dialog, name="revise_report"),
        path(
            "reports/<uuid:object_id>/daily/",
            guarded(require_safe(organization_reports_page)),
            name="tenants_organization_reports",
        ),
        path("reports/<uuid:object_id>/daily/revise/", dialog, name="tenants_organization_revise_report"),
    ]


def organization_reports_url(organization: Organization) -> str:
    """The address of the organization's daily reports."""
    return reverse("admin:tenants_organization_reports", args=[organization.pk])


def organization_reports_page(request: HttpRequest, object_id: UUID) -> HttpResponseBase:
    """Show an organization's report of a day, or answer with its file."""
    require_may(request, "books.read")
    organization = _organization(object_id)
    shown = shown_of(request, organization, database=history_source(request).database)
    file = shown.file(request.GET.get("download", ""), organization.slug)
    if file is not None:
        return file
    context = {
        **admin.site.each_context(request),
        "title": f"Daily reports of {organization.name}",
        "organization": organization,
        "organization_url": page_url(organization),
        **daily_report_facts(request, shown, organization),
    }
    return TemplateResponse(request, "backoffice/organization_reports.html", context)


def shown_of(
    request: HttpRequest,
    organization: Organization | None,
    *,
    usual: date | None = None,
    database: str = DEFAULT_DB_ALIAS,
) -> ShownReport:
    """The report that the address asks for, as far as the colleague may see it."""
    organization_id = organization.pk if organization else None
    return shown_report(request, organization_id, partial(may, request), usual=usual, database=database)


def daily_report_facts(request: HttpRequest, shown: ShownReport, organization: Organization | None) -> dict[str, Any]:
    """What `backoffice/daily_report.html` takes; `zone` is the one that days and moments are told in."""
    zone = organization.time_zone if organization else "UTC"
    today = in_zone(clock.now(), zone_of(zone)).date()
    may_revise = shown.report is not None and may(request, REVISE_OPERATION)
    return {
        **shown.facts(today, asked_day(request, "month")),
        "zone": zone,
        "revise_url": _revise_url(organization, shown.day) if may_revise else "",
    }


def revise_report(request: HttpRequest, object_id: UUID | None = None) -> HttpResponse:
    """The dialog that makes a day's report anew, of the organization or of the platform."""
    require_may(request, REVISE_OPERATION)
    organization = _organization(object_id) if object_id else None
    shown = shown_of(request, organization)
    newest = shown.revisions[0] if shown.revisions else None
    done_url = organization_reports_url(organization) if organization else reverse("admin:reports")
    if shown.day:
        done_url = f"{done_url}?{urlencode({'day': shown.day.isoformat()})}"
    return run_verb(request, _REVISE, _DayOf(organization, shown.day, newest), done_url=done_url)


def _organization(object_id: UUID) -> Organization:
    organization = Organization.objects.filter(pk=object_id).first()
    if organization is None:
        raise Http404(f"There is no organization {object_id}.")
    return organization


def _revise_url(organization: Organization | None, day: date | None) -> str:
    name, arguments = (
        ("admin:tenants_organization_revise_report", [organization.pk]) if organization else ("admin:revise_report", [])
    )
    return f"{reverse(name, args=arguments)}?{urlencode({'day': f'{day}'})}"


def _seen(record: _DayOf) -> Mapping[str, Any]:
    return {"after_revision": record.newest.revision if record.newest else None}


def _revise(context: ExecutionContext, record: _DayOf, form: ReviseForm) -> str:
    report = daily_report_revise(
        context,
        organization_id=record.organization.pk if record.organization else None,
        # Without a day the service says that there is no report.
        day=record.day or clock.now().astimezone(UTC).date(),
        reason=form.cleaned_data["reason"],
        is_mailed=form.cleaned_data["is_mailed"],
        after_revision=form.cleaned_data["after_revision"],
    )
    mailed = "It goes to the recipients by mail." if form.cleaned_data["is_mailed"] else "Nobody is mailed."
    return f"Revision {report.revision} of {day_in_words(report.day)} was made. {mailed}"


_REVISE = Verb(
    name="revise_report",
    label="Make a new revision",
    description="Reads the figures of this day again. The former revisions stay, and the page shows what changed.",
    submit="Make it",
    operation=REVISE_OPERATION,
    icon="restart_alt",
    form_class=ReviseForm,
    initial=_seen,
    run=_revise,
    refusal=lambda record: "" if record.newest else _NO_REPORT,
    organization_of=lambda record, form: record.organization,
    eyebrow=lambda record: day_in_words(record.day) if record.day else "",
)
