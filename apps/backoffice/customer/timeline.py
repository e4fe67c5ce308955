"""One timeline of a customer: changes, payments, credits, denials, notes and mails, newest first.

Each kind is read by its own index and no further than is shown, so that a long history costs no more than a short one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import moment, page_url, page_url_of
from apps.backoffice.records.credits import format_signed
from apps.backoffice.records.decisions import names_in, what_was_asked, who_asked, why
from apps.backoffice.staff import may
from apps.core.audit import event_label
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox_handlers import EMAIL_KIND
from apps.credits.models import CreditEntry
from apps.payments.models import BillingEvent, WebhookEvent
from apps.subscriptions.enums import Verdict
from apps.subscriptions.models import DecisionReceipt, ProviderEvidence, WorkspaceNote

OF_EACH, OF_ONE = 12, 60


@dataclass(frozen=True, slots=True)
class Happening:
    """One line. `url` leads to the record, where it has a page."""

    at: datetime
    kind: str
    icon: str
    what: str
    who: str = ""
    detail: str = ""
    url: str = ""

    @property
    def shown_at(self) -> SafeString:
        return moment(self.at)


Read = Callable[[UUID, int], list[Happening]]


def _changes(organization_id: UUID, size: int) -> list[Happening]:
    entries = AuditEntry.objects.filter(organization_id=organization_id).order_by("-sequence")[:size]
    return [
        Happening(
            entry.recorded_at,
            "Change",
            "history",
            event_label(entry.event),
            entry.actor_label,
            entry.reason,
            page_url(entry),
        )
        for entry in entries
    ]


def _payments(organization_id: UUID, size: int) -> list[Happening]:
    tracked = BillingEvent.objects.filter(organization=organization_id).order_by("-occurred_at")[:size]
    said = ProviderEvidence.objects.filter(organization=organization_id).order_by("-claimed_at")[:size]
    news = WebhookEvent.objects.filter(organization_id=organization_id).defer("payload", "body")
    return [
        *(Happening(event.occurred_at, "Payment", "payments", event.get_name_display()) for event in tracked),
        *(
            Happening(
                event.received_at,
                "Payment",
                "inbox",
                event.type,
                event.get_provider_display(),
                event.get_status_display(),
                page_url(event),
            )
            for event in news.order_by("-received_at")[:size]
        ),
        *(
            Happening(
                each.received_at,
                "Payment",
                "compare_arrows",
                f"{each.get_provider_display()} says {each.claimed_state.replace('_', ' ')}",
                each.object_id,
                f"Recorded, not applied: {each.why_kept}",
            )
            for each in said
        ),
    ]


def _credits(organization_id: UUID, size: int) -> list[Happening]:
    entries = CreditEntry.objects.filter(account_id=organization_id).order_by("-sequence")[:size]
    return [
        Happening(
            entry.recorded_at,
            "Credits",
            "toll",
            f"{entry.get_kind_display()} {format_signed(entry.amount)}",
            entry.actor_label,
            entry.operation or entry.reason,
            page_url_of(CreditEntry, entry.pk),
        )
        for entry in entries
    ]


def _denials(organization_id: UUID, size: int) -> list[Happening]:
    rows = DecisionReceipt.objects.filter(organization_id=organization_id, decision=Verdict.DENY)
    receipts = list(rows.order_by("-created_at")[:size])
    names = names_in(receipts)
    return [
        Happening(
            receipt.created_at,
            "Denial",
            "block",
            f"Denied: {what_was_asked(receipt)}",
            who_asked(receipt, names),
            why(receipt, names),
            page_url(receipt),
        )
        for receipt in receipts
    ]


def _notes(organization_id: UUID, size: int) -> list[Happening]:
    notes = WorkspaceNote.objects.filter(workspace__organization=organization_id).select_related("workspace")
    return [
        Happening(
            note.written_at,
            "Note",
            "sticky_note_2",
            f"Note on {note.workspace.name}",
            note.author_label,
            note.text,
            page_url(note.workspace),
        )
        for note in notes.order_by("-written_at")[:size]
    ]


def _mails(organization_id: UUID, size: int) -> list[Happening]:
    items = OutboxItem.objects.filter(organization_id=organization_id, kind=EMAIL_KIND).order_by("-created_at")[:size]
    return [
        Happening(
            item.created_at,
            "Mail",
            "mail",
            str(item.payload.get("subject", "Mail")),
            ", ".join(str(each) for each in item.payload.get("to", ())),
            item.get_status_display(),
            page_url(item),
        )
        for item in items
    ]


# By the name in the address of the page: its label, who may read it, and how it is read.
KINDS: dict[str, tuple[str, str, Read]] = {
    "changes": ("Changes", "audit.read", _changes),
    "payments": ("Payments", "webhook_events.read", _payments),
    "credits": ("Credits", "credits.read", _credits),
    "denials": ("Denials", "decisions.read", _denials),
    "notes": ("Notes", "notes.read", _notes),
    "mails": ("Mails", "outbox.read", _mails),
}


def timeline_of(request: HttpRequest, organization_id: UUID) -> dict[str, object]:
    """The template's part: the lines, and the kinds to choose from."""
    allowed = {name: row for name, row in KINDS.items() if may(request, row[1])}
    asked = request.GET.get("show", "")
    chosen = {asked: allowed[asked]} if asked in allowed else allowed
    size = OF_ONE if asked in allowed else OF_EACH
    lines = [line for _, _, read in chosen.values() for line in read(organization_id, size)]
    lines.sort(key=lambda line: line.at, reverse=True)
    return {
        "happenings": lines[: OF_ONE if asked in allowed else 3 * OF_EACH],
        "kinds": [("", "All"), *((name, row[0]) for name, row in allowed.items())],
        "shown_kind": asked if asked in allowed else "",
    }
