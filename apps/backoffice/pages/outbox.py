"""The outbox: calls to other systems."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib.admin import display
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, badge, code, link, moment, number, page_url_of, short, title_and_slug
from apps.backoffice.filters import choice_filter, flag_filter, of_customers, organization_filter, text_filter
from apps.backoffice.pages.lookups import organization_name
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import Verb
from apps.core.ids import OutboxItemId
from apps.core.models import OutboxItem
from apps.core.outbox import kinds, outbox_dismiss, outbox_retry, waiting_kinds, waiting_reason
from apps.core.states import OutboxStatus
from apps.tenants.models import Organization

_TONES: dict[str, Any] = {
    OutboxStatus.PENDING: "info",
    OutboxStatus.IN_PROGRESS: "info",
    OutboxStatus.DONE: "good",
    OutboxStatus.PARKED: "bad",
    OutboxStatus.SUPPRESSED: "neutral",
}
_WORDS = {OutboxStatus.SUPPRESSED.value: "Suppressed"}


def outbox_badge(item: OutboxItem) -> SafeString:
    if item.is_dismissed:
        return badge("Dismissed", "neutral")
    return badge(_WORDS.get(item.status, item.get_status_display()), _TONES[item.status])


def why_not_done(item: OutboxItem) -> str:
    """Why the call waits or was parked; empty for one that was made or is next."""
    if item.status == OutboxStatus.PARKED:
        return item.last_error
    if item.status == OutboxStatus.PENDING:
        return waiting_reason(item.kind) or item.last_error
    return ""


OUTBOX_VERBS = (
    Verb(
        name="try_again",
        label="Try again",
        description="Puts the call back into the queue with the same key and all its tries. Fix the cause first.",
        operation="outbox.retry",
        icon="replay",
        refusal=lambda item: "" if item.status == OutboxStatus.PARKED else "This call is not parked.",
        run=lambda context, item, form: outbox_retry(
            context, item_id=OutboxItemId(item.pk), reason=form.cleaned_data["reason"]
        ),
        done="The call is back in the queue.",
        organization_of=lambda item, form: Organization.objects.filter(pk=item.organization_id).first(),
    ),
    Verb(
        name="dismiss",
        label="Dismiss",
        description="Gives the call up: it counts no longer as failed, and is removed with the old ones. "
        "Until then it can be tried again.",
        operation="outbox.dismiss",
        icon="notifications_off",
        refusal=lambda item: (
            ""
            if item.status == OutboxStatus.PARKED and not item.is_dismissed
            else "This call does not wait for a person."
        ),
        run=lambda context, item, form: outbox_dismiss(
            context, item_id=OutboxItemId(item.pk), reason=form.cleaned_data["reason"]
        ),
        done="The call is dismissed.",
        organization_of=lambda item, form: Organization.objects.filter(pk=item.organization_id).first(),
    ),
)


class OutboxItemAdmin(StaffAdmin[OutboxItem]):
    """One row for each call, stored in the transaction that caused it."""

    operation = "outbox.read"
    icon = "outbox"
    heading = "Outbox"
    about = (
        "Calls to other systems, such as Stripe or the mail server. A parked call was refused, or failed too "
        "many times. Dismiss one that can never succeed."
    )
    ordering = ("-created_at",)
    list_display = ("named", "status_badge", "tenant", "tries", "next_try", "why", "created")
    listed = of_customers("organization_id")
    list_filter = (
        choice_filter("status", "status", lambda: OutboxStatus.choices),
        flag_filter("dismissed", "dismissed", Q(status=OutboxStatus.PARKED, dismissed_at__isnull=False)),
        text_filter("kind", "kind", hint="email.send"),
        organization_filter("organization_id"),
    )
    search_ids = ("pk", "organization_id")
    search_words: ClassVar[dict[str, Callable[[], Iterable[str]]]] = {"kind": kinds}
    search_help_text = "Id, organization's id or beginning of the kind"
    verbs = OUTBOX_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxItem]:
        return super().get_queryset(request).annotate(organization_name=organization_name())

    @display(description="Call")
    def named(self, record: OutboxItem) -> SafeString:
        # The key is on the page: it says nothing to people, and made every row two lines of digits.
        return title_and_slug(record.kind, f"caused by {record.actor_label}")

    @display(description="Status")
    def status_badge(self, record: OutboxItem) -> SafeString:
        return outbox_badge(record)

    @display(description="Organization")
    def tenant(self, record: Any) -> SafeString:
        if record.organization_id is None:
            return NOTHING
        return link(
            page_url_of(Organization, record.organization_id), record.organization_name or record.organization_id
        )

    @display(description="Tries")
    def tries(self, record: OutboxItem) -> str:
        return number(record.attempts)

    @display(description="Next try")
    def next_try(self, record: OutboxItem) -> SafeString:
        return moment(record.next_attempt_at) if record.status == OutboxStatus.PENDING else NOTHING

    @display(description="Why it waits")
    def why(self, record: OutboxItem) -> SafeString:
        if record.status == OutboxStatus.PENDING and waiting_reason(record.kind):
            return badge("Not set up", "neutral")
        return short(why_not_done(record), 70)

    def notices(self, request: HttpRequest) -> list[str]:
        """What keeps whole kinds of calls waiting, said once above the list."""
        reasons = waiting_kinds()
        waiting = OutboxItem.objects.filter(status=OutboxStatus.PENDING, kind__in=reasons)
        kinds = sorted(set(waiting.order_by().values_list("kind", flat=True).distinct()))
        return [f"Calls of the kind {kind} wait: {reasons[kind]}" for kind in kinds]

    @display(description="Created")
    def created(self, record: OutboxItem) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: OutboxItem) -> list[Any]:
        return [outbox_badge(record)]

    def title_of(self, record: OutboxItem) -> str:
        return record.kind

    def facts(self, record: OutboxItem) -> list[Fact]:
        return [
            Fact("Organization", self.tenant(record)),
            Fact("Why it waits", why_not_done(record) or NOTHING),
            Fact("Tries", number(record.attempts)),
            Fact("Next try", self.next_try(record)),
            Fact("Finished", moment(record.finished_at)),
            *([Fact("Dismissed", moment(record.dismissed_at))] if record.is_dismissed else []),
            Fact("Last error", record.last_error or NOTHING),
            Fact("Key", code(record.key), "Sent as our idempotency key; the same for every try."),
            Fact("Caused by", record.actor_label),
            Fact("Request", code(record.request_id)),
            Fact("Created", moment(record.created_at)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: OutboxItem) -> list[Panel]:
        payload = [
            (code(name), format_html('<span class="ch-value">{}</span>', _text(value)))
            for name, value in record.payload.items()
        ]
        return [
            Panel("Sent data", ("Field", "Value"), payload, empty="Only the key.", icon="data_object"),
            *changes_of_target(request, "outbox_item", record.pk),
        ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
