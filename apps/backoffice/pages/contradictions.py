"""Where the gate and what is paid contradict each other: paid but blocked, and unpaid but allowed (spec 07, Books)."""

from __future__ import annotations

from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import badge, code, moment, record_link, title_and_slug
from apps.backoffice.filters import choice_filter, organization_filter
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.staff_admin import StaffAdmin
from apps.reporting.models import ContradictionKind, PaymentContradiction


class PaymentContradictionAdmin(StaffAdmin[PaymentContradiction]):
    """The two lists as one, the longest standing first."""

    operation = "books.read"
    icon = "difference"
    heading = "Paid against allowed"
    about = (
        "Workspaces that are paid for and that the gate blocks, or that are not paid for and that it lets through. "
        "Asked anew each hour by the job refresh-figures; one that is mended goes from this list then."
    )
    ordering = ("kind", "first_seen_at")
    list_display = ("named", "which", "why", "since")
    list_filter = (
        choice_filter("kind", "kind", lambda: ContradictionKind.choices),
        organization_filter("organization"),
    )
    search_ids = ("workspace_id", "organization_id")
    search_help_text = "Id of the workspace or organization"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PaymentContradiction]:
        return super().get_queryset(request).select_related("workspace", "organization")

    def title_of(self, record: PaymentContradiction) -> str:
        return f"{record.workspace.name}: {record.get_kind_display().lower()}"

    @display(description="Workspace")
    def named(self, record: PaymentContradiction) -> SafeString:
        return title_and_slug(record.workspace.name, record.organization.name)

    @display(description="Kind")
    def which(self, record: PaymentContradiction) -> SafeString:
        return kind_badge(record)

    @display(description="Why")
    def why(self, record: PaymentContradiction) -> str:
        return record.reason

    @display(description="Since")
    def since(self, record: PaymentContradiction) -> SafeString:
        return moment(record.first_seen_at)

    def badges(self, record: PaymentContradiction) -> list[SafeString]:
        return [kind_badge(record)]

    def facts(self, record: PaymentContradiction) -> list[Fact]:
        return [
            Fact("Workspace", record_link(record.workspace), "Its page says what the gate rests on, and changes it."),
            Fact("Organization", record_link(record.organization)),
            Fact("Why", record.reason),
            Fact("First seen", moment(record.first_seen_at)),
            Fact("Last seen", moment(record.seen_at)),
        ]

    def panels(self, request: HttpRequest, record: PaymentContradiction) -> list[Panel]:
        rows = [(code(name),) for name in record.records]
        return [Panel("Records", ("Record",), rows, empty="None.", icon="description")]


def kind_badge(record: PaymentContradiction) -> SafeString:
    """Red for a customer who pays and is kept out."""
    is_blocked = record.kind == ContradictionKind.PAID_BUT_BLOCKED
    return badge(record.get_kind_display(), "bad" if is_blocked else "warn")
