"""The words of the mails: daily reports, made when they leave from what never changes, and that credits run low."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse

from apps.core.amounts import show_micro
from apps.core.mails import Mail, mail_payload, public_address, support_address, support_line
from apps.core.operations import OPERATIONS, reaches
from apps.reporting.links import CONFIRM_WITHIN, confirm_address, unsubscribe_address
from apps.reporting.models import DailyReport, ReportRecipient, ReportSheet
from apps.reporting.rules.alerts import Threshold, event_of, in_words
from apps.reporting.rules.document import Document, read_document
from apps.reporting.rules.presenting import chapters_of, day_in_words, in_one_line, made_in_words, text_of
from apps.reporting.sections.registry import withhold_sections
from apps.reporting.selectors.alerts import Addressee
from apps.tenants.access import platform_role
from apps.tenants.models import Organization

_LONGEST_NAME = 60


def report_mail(report: DailyReport, recipient: ReportRecipient, *, to: str) -> dict[str, Any]:
    """The payload of the mail that carries the report, with one-click unsubscribe (RFC 8058)."""
    document = withhold_sections(read_document(report.document), partial(_may_read, recipient))
    stop = unsubscribe_address(recipient.pk)
    url = page_address(document, report)
    title = f"Daily report of {_short(document.scope.name)}, {day_in_words(document.day)}"
    facts = {
        "title": title,
        "document": document,
        "revision": report.revision,
        "chapters": chapters_of(document),
        "made": made_in_words(document),
        "root": public_address(""),
        "url": url,
        "stop": stop,
        "support": support_address(),
    }
    text = "\n\n".join(
        [
            title,
            f"As of {made_in_words(document)}.{_revised(report)}",
            *([f"{document.alarms} of the figures need a look; they are marked with !."] if document.alarms else []),
            text_of(document),
            f"Read it online, with a link to the list behind each figure:\n{url}",
            *filter(None, [support_line()]),
            f"To get no more of these mails, open:\n{stop}",
        ]
    )
    return {
        "to": [to],
        "subject": title + (f" (revision {report.revision})" if report.revision > 1 else ""),
        "text": f"{text}\n",
        "html": render_to_string("reporting/report_mail.html", facts),
        "headers": {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    }


def confirm_mail(recipient: ReportRecipient, organization_name: str) -> dict[str, Any]:
    """The payload of the mail that asks whoever reads the mailbox whether they want reports."""
    name = _short(organization_name)
    mail = Mail(
        subject=f"Daily reports of {name}: please confirm",
        paragraphs=(
            "Hello,",
            f"An admin of {name} would like to send its daily billing reports to {recipient.email}.",
            "If you want them, confirm here. Without that you get nothing from us.",
        ),
        url=confirm_address(recipient.pk, recipient.email),
        link_text="Get the daily reports",
        after=(f"The link works for {CONFIRM_WITHIN.days} days. If you don't want reports, ignore this mail.",),
    )
    return mail_payload(mail, to=[recipient.email])


def paused_mail(recipient: ReportRecipient, *, organization_name: str, url: str, to: list[str]) -> dict[str, Any]:
    """The payload of the mail that tells admins that a mailbox takes no reports."""
    mail = Mail(
        subject=f"Daily reports to {recipient.email} are paused",
        paragraphs=(
            "Hello,",
            f"The mail server of {recipient.email} refuses our mail: {recipient.note}",
            f"The daily reports of {_short(organization_name)} no longer go there.",
            "Check the address. If it is right, resume it on the page of recipients; if not, remove it.",
        ),
        url=url,
        link_text="Open the recipients",
    )
    return mail_payload(mail, to=to)


def sheet_problem_mail(sheet: ReportSheet, *, url: str, to: list[str]) -> dict[str, Any]:
    """The payload of the mail that tells admins that reports can't be written to their sheet."""
    mail = Mail(
        subject=f"Daily reports can't be written to the sheet {_short(sheet.sheet)}",
        paragraphs=(
            "Hello,",
            f"The daily report of {_short(sheet.organization.name)} could not be written to your Google sheet.",
            sheet.problem,
            "No report is lost: they stand on the page of daily reports. Mend the sheet, then write what it misses.",
        ),
        url=url,
        link_text="Open the recipients",
    )
    return mail_payload(mail, to=to)


def page_address(document: Document, report: DailyReport) -> str:
    """The full address of the page that shows the report."""
    if document.scope.is_platform:
        return public_address(f"{reverse('admin:reports')}?day={report.day:%Y-%m-%d}")
    if not document.scope.workspace_slug:
        return public_address(reverse("billing-home"))
    address = reverse("billing-daily-reports", args=[document.scope.workspace_slug])
    return public_address(f"{address}?day={report.day:%Y-%m-%d}")


def _may_read(recipient: ReportRecipient, operation: str) -> bool:
    """Whether a section that needs the operation goes to the recipient: only the platform's have such."""
    role = platform_role(recipient.user) if recipient.user is not None and recipient.organization_id is None else None
    return role is not None and reaches(role, OPERATIONS[operation].platform_role)


def _revised(report: DailyReport) -> str:
    return f" This is revision {report.revision}: {in_one_line(report.reason)}" if report.revision > 1 else ""


def _short(name: str) -> str:
    text = in_one_line(name)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def alert_mail(
    organization: Organization, addressee: Addressee, *, threshold: Threshold, balance: int, days: int | None
) -> dict[str, Any]:
    """The payload of the mail that tells that credits run low; `balance` in micro-credits, `days` the runway."""
    name, is_end = _short(organization.name), event_of(threshold) == "balance.exhausted"
    workspace = organization.workspaces.order_by("created_at", "pk").first()
    page = reverse("billing-credits", args=[workspace.slug]) if workspace else reverse("billing-home")
    standing = f"{name} has {show_micro(balance)} credits left"
    if days is not None:
        standing += f", which last for about {days} {'day' if days == 1 else 'days'} at the pace of the last weeks"
    stop = unsubscribe_address(addressee.recipient_id) if addressee.recipient_id else ""
    mail = Mail(
        subject=f"{'Your credits are used up' if is_end else 'Your credits run low'}: {name}",
        paragraphs=(
            "Hello,",
            f"{standing}.",
            "Runs may be refused until there are credits again."
            if is_end
            else f"You asked to be told at {in_words(threshold)}.",
        ),
        url=public_address(page),
        link_text="Open the credits",
        after=(
            "You are told once, and again only after the balance was above by a tenth.",
            "An admin chooses when we warn, and whom, on Settings under Mails.",
            *([f"To get neither these mails nor daily reports, open:\n{stop}"] if stop else []),
        ),
    )
    payload = mail_payload(mail, to=[addressee.email])
    if stop:
        payload["headers"] = {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return payload
