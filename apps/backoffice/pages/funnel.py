"""The funnel page: checkouts by month, and the stages they reached (spec 04, Tracking)."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.backoffice.staff import require_may
from apps.core import clock
from apps.payments.selectors.funnel import STAGES, funnel_by_month


def funnel_page(request: HttpRequest) -> HttpResponse:
    """Show twelve months, newest first, each with its four stages."""
    require_may(request, "billing_events.read")
    labels = [label for label, _ in STAGES]
    months = [
        {"name": month.month, "stages": list(zip(labels, month.counts, month.shares, strict=True))}
        for month in funnel_by_month(clock.now())
    ]
    context = {
        **admin.site.each_context(request),
        "title": "Funnel",
        "labels": labels,
        "months": months,
        "is_empty": not any(stage[1] for month in months for stage in month["stages"]),
    }
    return TemplateResponse(request, "backoffice/funnel.html", context)
