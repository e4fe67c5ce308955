"""The difference report of usage at Orb: what Orb refused, lost or has otherwise, for a person (spec 04)."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import display
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import badge, code, link, moment, page_url_of, record_link, short
from apps.backoffice.filters import choice_filter, flag_filter, organization_filter
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.credits.models import CreditEntry
from apps.payments.enums import UsageFaultKind
from apps.payments.models import UsageFault
from apps.payments.services import usage_fault_settle, usage_send_again
from apps.tenants.models import Organization

_SETTLE = "usage_faults.settle"
MEANINGS = {
    UsageFaultKind.REFUSED: "Orb refused the event. Its answer says why; what is too old goes as a backfill at Orb.",
    UsageFaultKind.NOT_AMENDED: "Orb has the charge and refused its reversal. Write a credit note at Orb.",
    UsageFaultKind.MISSING: "Orb took the event and has none now.",
    UsageFaultKind.DIFFERENT: "Orb has other values than the ledger.",
    UsageFaultKind.SENT_AGAIN: "A colleague sent it again. It is open again if Orb refuses it again.",
}


def _settled_refusal(fault: UsageFault) -> str:
    return "Somebody has settled this already." if fault.settled_at else ""


def _organization(fault: UsageFault, form: ReasonForm) -> Organization | None:
    return fault.organization


def _send_again(context: ExecutionContext, fault: UsageFault, form: ReasonForm) -> object:
    return usage_send_again(context, entry_id=fault.pk, reason=form.cleaned_data["reason"])


def _settle(context: ExecutionContext, fault: UsageFault, form: ReasonForm) -> object:
    return usage_fault_settle(context, entry_id=fault.pk, reason=form.cleaned_data["reason"])


USAGE_FAULT_VERBS = (
    Verb(
        name="settle",
        label="Settle",
        description="Notes what was done about it, such as a credit note at Orb. Nothing is sent.",
        operation=_SETTLE,
        icon="task_alt",
        refusal=_settled_refusal,
        organization_of=_organization,
        run=_settle,
        done="Settled.",
    ),
    Verb(
        name="send_again",
        label="Send again",
        description="Sends the event again with the same key. Mend the cause at Orb first.",
        operation=_SETTLE,
        icon="replay",
        refusal=_settled_refusal,
        organization_of=_organization,
        run=_send_again,
        done="The event is on its way to Orb.",
    ),
)


class UsageFaultAdmin(StaffAdmin[UsageFault]):
    """One entry of the ledger that Orb does not have as we do."""

    operation = "usage_faults.read"
    icon = "difference"
    heading = "Usage not at Orb"
    about = "Usage that Orb refused, lost, or has otherwise than the ledger. Each line waits for a decision."
    ordering = ("-found_at", "entry_id")
    list_display = ("named", "state", "tenant", "from_product", "said", "occurred", "found")
    list_filter = (
        choice_filter("kind", "kind", lambda: UsageFaultKind.choices),
        flag_filter("open", "open", Q(settled_at__isnull=True)),
        organization_filter("organization_id"),
    )
    search_ids = ("pk", "organization_id")
    search_help_text = "Id of the entry or of the organization"
    verbs = USAGE_FAULT_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageFault]:
        return super().get_queryset(request).select_related("organization", "product")

    @display(description="Kind")
    def named(self, record: UsageFault) -> str:
        return record.get_kind_display()

    @display(description="State")
    def state(self, record: UsageFault) -> SafeString:
        return badge("Settled", "neutral") if record.settled_at else badge("Open", "warn")

    @display(description="Organization")
    def tenant(self, record: UsageFault) -> SafeString:
        return record_link(record.organization)

    @display(description="Product")
    def from_product(self, record: UsageFault) -> SafeString:
        return record_link(record.product)

    @display(description="What Orb says")
    def said(self, record: UsageFault) -> SafeString:
        return short(record.sentence)

    @display(description="Used")
    def occurred(self, record: UsageFault) -> SafeString:
        return moment(record.occurred_at)

    @display(description="Found")
    def found(self, record: UsageFault) -> SafeString:
        return moment(record.found_at)

    def title_of(self, record: UsageFault) -> str:
        return record.get_kind_display()

    def badges(self, record: UsageFault) -> list[Any]:
        return [self.state(record)]

    def facts(self, record: UsageFault) -> list[Fact]:
        return [
            Fact("What it means", MEANINGS[UsageFaultKind(record.kind)]),
            Fact("What Orb says", record.sentence),
            Fact("Entry", link(page_url_of(CreditEntry, record.pk), record.pk), "Also Orb's id of the event."),
            Fact("Organization", self.tenant(record)),
            Fact("Product", self.from_product(record)),
            Fact("Used", moment(record.occurred_at)),
            Fact("Found", moment(record.found_at)),
            Fact("Settled", moment(record.settled_at)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: UsageFault) -> list[Panel]:
        return changes_of_target(request, "usage_fault", record.pk)
