"""The page on which a colleague gets the platform's daily report by mail, or no longer (spec 07, Daily report)."""

from __future__ import annotations

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.backoffice.staff import acting_context, require_may
from apps.core.ids import UserId
from apps.reporting.selectors.reports import platform_recipient
from apps.reporting.services.recipients import SUBSCRIBE_OPERATION, platform_report_subscribe
from apps.tenants.models import User


def report_mail_page(request: HttpRequest) -> HttpResponse:
    """Show whether the colleague gets the report; on POST change it. A form that says neither is shown again."""
    require_may(request, SUBSCRIBE_OPERATION)
    assert isinstance(request.user, User)  # noqa: S101 - the operation let nobody else through
    wanted = request.POST.get("wanted")
    if wanted in {"yes", "no"}:
        is_wanted = wanted == "yes"
        acting = acting_context(request, SUBSCRIBE_OPERATION)
        platform_report_subscribe(acting, user_id=UserId(request.user.pk), is_wanted=is_wanted)
        sentence = "You get the next report by mail." if is_wanted else "You get no more reports by mail."
        messages.success(request, sentence)
        return HttpResponseRedirect(reverse("admin:report_mail"))
    context = {
        **admin.site.each_context(request),
        "title": "Daily report by mail",
        "recipient": platform_recipient(request.user.pk),
        "email": request.user.email,
    }
    return TemplateResponse(request, "backoffice/report_mail.html", context)
