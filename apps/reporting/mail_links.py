"""What the links in mails about reports lead to, without signing in.

To look changes nothing, as mail scanners follow every link; a button does. A mail program's one click (RFC 8058) is a
POST that carries no cookie and no CSRF token: the signature in the address is what lets it through.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.core.context import Actor, ExecutionContext
from apps.core.enums import ActorKind
from apps.core.errors import NotFoundError
from apps.core.observability.requests import current_request_id
from apps.reporting.links import read_confirm, read_unsubscribe
from apps.reporting.models import ReportRecipient
from apps.reporting.services.recipients import report_recipient_confirm, report_recipient_unsubscribe
from apps.tenants.access import task_context

_METHODS = ["GET", "HEAD", "POST"]


@csrf_exempt
@require_http_methods(_METHODS)
def report_unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End mails to the recipient of the link: on POST, by the page's button or by a mail program."""
    recipient_id = read_unsubscribe(token)
    if recipient_id is None:
        return _refuse(request, "The address is incomplete or wrong. Copy the whole address from the mail.")
    if request.method == "POST":
        report_recipient_unsubscribe(_context_of(recipient_id), recipient_id)
        return _show(request, "reporting/unsubscribed.html", "You get no more daily reports")
    return _show(request, "reporting/unsubscribe.html", "Daily reports by mail")


@csrf_exempt
@require_http_methods(_METHODS)
def report_confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Let the mailbox of the link get reports: on POST, by the page's button."""
    found = read_confirm(token)
    if found is None:
        return _refuse(request, "The address is incomplete, or it is older than 7 days. Ask an admin for another one.")
    recipient_id, email = found
    if request.method != "POST":
        return _show(request, "reporting/confirm.html", "Daily reports by mail", email=email)
    try:
        report_recipient_confirm(_context_of(recipient_id), recipient_id, email=email)
    except NotFoundError as error:
        return _refuse(request, str(error))
    return _show(request, "reporting/confirmed.html", "You get the daily reports", email=email)


def _show(request: HttpRequest, template: str, title: str, **facts: str) -> HttpResponse:
    response = render(request, template, {"title": title, **facts})
    # The address is the key: it goes to nobody else.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _refuse(request: HttpRequest, why: str) -> HttpResponse:
    facts = {"title": "This link does not work", "why": why}
    return render(request, "reporting/link_refused.html", facts, status=HTTPStatus.NOT_FOUND)


def _context_of(recipient_id: UUID) -> ExecutionContext:
    """Whoever reads the mailbox acts, in its organization, and may do just this."""
    recipient = ReportRecipient.objects.filter(pk=recipient_id).select_related("organization").first()
    organization = recipient.organization if recipient is not None else None
    context = task_context("report-link", organization=organization, request_id=current_request_id())
    label = recipient.email if recipient is not None else "a former recipient"
    return replace(context, actor=Actor(ActorKind.USER, "", label))
