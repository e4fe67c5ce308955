"""The webhook inbox: events of Stripe and Orb, and their processing."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import display
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.backoffice.cells import (
    NOTHING,
    badge,
    code,
    link,
    list_url,
    moment,
    number,
    page_url_of,
    short,
    title_and_slug,
)
from apps.backoffice.filters import choice_filter, days_filter, organization_filter, text_filter
from apps.backoffice.pages.lookups import organization_name
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.records.decisions import names_of
from apps.backoffice.records.payloads import shown_body
from apps.backoffice.records.provider_links import owners_of_customers, provider_link
from apps.backoffice.staff import require_may
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import Verb
from apps.core.context import ExecutionContext
from apps.payments.enums import WebhookStatus, WhyKept
from apps.payments.models import WebhookEvent
from apps.payments.selectors.inbox import is_kept, kept_groups
from apps.payments.services import (
    webhook_event_dismiss,
    webhook_event_process_again,
    webhook_events_process_alike,
)
from apps.subscriptions.enums import Provider
from apps.tenants.models import Organization

_TONES: dict[str, Any] = {
    WebhookStatus.RECEIVED: "info",
    WebhookStatus.PROCESSING: "info",
    WebhookStatus.PROCESSED: "good",
    WebhookStatus.IGNORED: "neutral",
    WebhookStatus.UNMATCHED: "warn",
    WebhookStatus.FAILED: "bad",
}
_PARKED = frozenset({WebhookStatus.FAILED, WebhookStatus.UNMATCHED})


def status_choices() -> list[tuple[str, str]]:
    """The statuses by the words of the pages, in the filter as on the badges."""
    words = {WebhookStatus.FAILED.value: "Parked"}
    return [(value, words.get(value, label)) for value, label in WebhookStatus.choices]


def event_badge(event: WebhookEvent) -> SafeString:
    return badge(dict(status_choices())[event.status], _TONES[event.status])


def reason_label(reason: str) -> str:
    """The reason in words: one of ours, or the code of the service's refusal."""
    return WhyKept(reason).label if reason in WhyKept.values else reason.replace("_", " ").capitalize()


def _organization_of(event: WebhookEvent, form: object) -> Organization | None:
    known = event.organization_id
    return Organization.objects.filter(pk=known).first() if known else None


def _unless_kept(event: WebhookEvent) -> str:
    return "" if is_kept(event) else "This event is not kept for a person."


def _unless_waiting(event: WebhookEvent) -> str:
    return "" if event.status in _PARKED else "This event does not wait for a person."


def _dismiss_alike(context: ExecutionContext, event: WebhookEvent, reason: str) -> str:
    count = webhook_event_dismiss(context, event_pk=event.pk, reason=reason, with_alike=True)
    return f"{count:,} events are dismissed."


def _verb(name: str, label: str, description: str, icon: str, **values: Any) -> Verb:
    operation = "webhook_events.process_again"
    first = {"organization_of": _organization_of, "refusal": _unless_waiting}
    return Verb(name=name, label=label, description=description, operation=operation, icon=icon, **(first | values))


EVENT_VERBS = (
    _verb(
        "process_again",
        "Process again",
        "Process this event again. Fix the cause first. Steps that already succeeded are not repeated. For a dismissed "
        "event this takes the dismissal back.",
        "replay",
        refusal=_unless_kept,
        run=lambda context, event, form: webhook_event_process_again(
            context, event_pk=event.pk, reason=form.cleaned_data["reason"]
        ),
        done="The event will be processed again.",
    ),
    _verb(
        "process_alike",
        "Process all of this reason",
        "Process all events again that wait for the same reason, over the same field. Fix the cause first.",
        "sync",
        run=lambda context, event, form: (
            f"{webhook_events_process_alike(context, event_pk=event.pk, reason=form.cleaned_data['reason']):,} "
            "events will be processed again."
        ),
    ),
    _verb(
        "dismiss",
        "Dismiss",
        "Set this event aside: it will never be needed. It stays in the inbox, and can be processed again.",
        "do_not_disturb_on",
        run=lambda context, event, form: webhook_event_dismiss(
            context, event_pk=event.pk, reason=form.cleaned_data["reason"]
        ),
        done="The event is dismissed. “Process again” takes that back.",
    ),
    _verb(
        "dismiss_alike",
        "Dismiss all of this reason",
        "Set all events aside that wait for the same reason, over the same field. They stay in the inbox.",
        "playlist_remove",
        is_rare=True,
        run=lambda context, event, form: _dismiss_alike(context, event, form.cleaned_data["reason"]),
    ),
)


def kept_events_page(request: HttpRequest) -> HttpResponse:
    """Show what waits for a person, by reason, field and type, each with the event to decide at."""
    require_may(request, "webhook_events.read")
    groups = [
        {
            "reason": reason_label(group.reason) or "Kept by an earlier release",
            "field": group.field,
            "type": group.type,
            "count": f"{group.count:,}",
            "oldest": moment(group.oldest),
            "newest": moment(group.newest),
            "url": page_url_of(WebhookEvent, group.example),
        }
        for group in kept_groups()
    ]
    context = {
        **admin.site.each_context(request),
        "title": "Events to decide",
        "groups": groups,
        "dismissed_url": list_url(WebhookEvent, reason=WhyKept.DISMISSED),
    }
    return TemplateResponse(request, "backoffice/kept_events.html", context)


class WebhookEventAdmin(StaffAdmin[WebhookEvent]):
    """One row for each event, stored before it is processed."""

    operation = "webhook_events.read"
    icon = "inbox"
    heading = "Webhook inbox"
    about = (
        "Events sent by Stripe and Orb. A parked event failed too many times. An unmatched event waits until "
        "we know its customer."
    )
    ordering = ("-received_at",)
    list_display = ("named", "status_badge", "tenant", "why", "tries", "occurred", "received")
    list_filter = (
        choice_filter("status", "status", status_choices),
        choice_filter("provider", "provider", lambda: Provider.choices),
        choice_filter("reason", "reason", lambda: WhyKept.choices),
        text_filter("customer_external_id", "customer", hint="cus_…"),
        organization_filter("organization_id"),
        days_filter("received_at", "received"),
    )
    search_ids = ("pk", "organization_id")
    search_help_text = "Id, organization's id or the provider's id of the event"
    verbs = EVENT_VERBS

    def search_condition(self, term: str) -> Q:
        # The index is on provider and id together.
        return super().search_condition(term) | Q(provider__in=Provider.values, event_id=term)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEvent]:
        return super().get_queryset(request).annotate(organization_name=organization_name())

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        """Read at once whose customers the unmatched events name, and the names in their errors."""
        owners = owners_of_customers({(row.provider, row.customer_external_id) for row in rows})
        names = names_of(row.error for row in rows)
        for row in rows:
            row.owner, row.names = owners.get((row.provider, row.customer_external_id)), names
        return rows

    def record_or_404(self, request: HttpRequest, object_id: object) -> WebhookEvent:
        record: WebhookEvent = self.prepare_rows([super().record_or_404(request, object_id)])[0]
        return record

    @display(description="Event")
    def named(self, record: WebhookEvent) -> SafeString:
        subject, dot, rest = record.type.partition(".")
        # A long type breaks after its dot, and not in a word.
        return title_and_slug(format_html("{}{}<wbr>{}", subject, dot, rest), record.event_id)

    @display(description="Status")
    def status_badge(self, record: WebhookEvent) -> SafeString:
        return event_badge(record)

    @display(description="Organization")
    def tenant(self, record: Any) -> SafeString:
        if record.organization_id is not None:
            url = page_url_of(Organization, record.organization_id)
            return link(url, record.organization_name or record.organization_id)
        if record.owner is None:
            return NOTHING
        # The event was never applied, but its customer is known.
        key, name = record.owner
        return format_html("{} <small>by its customer</small>", link(page_url_of(Organization, key), name))

    @display(description="Why it waits")
    def why(self, record: Any) -> SafeString:
        return short(record.names.put_into(record.error), 70)

    @display(description="Tries")
    def tries(self, record: WebhookEvent) -> str:
        return number(record.attempts)

    @display(description="Happened")
    def occurred(self, record: WebhookEvent) -> SafeString:
        return moment(record.occurred_at)

    @display(description="Received")
    def received(self, record: WebhookEvent) -> SafeString:
        return moment(record.received_at)

    def badges(self, record: WebhookEvent) -> list[Any]:
        return [event_badge(record), badge(record.get_provider_display())]

    def title_of(self, record: WebhookEvent) -> str:
        return record.type

    def facts(self, record: Any) -> list[Fact]:
        return [
            Fact("Organization", self.tenant(record)),
            Fact("Error", record.names.put_into(record.error) or NOTHING),
            Fact("Kept because", reason_label(record.reason) or NOTHING),
            Fact("Field", code(record.field)),
            Fact("Customer", provider_link(record.provider, "customer", record.customer_external_id)),
            Fact("Tries", number(record.attempts)),
            Fact("Next try", moment(record.next_try_at)),
            Fact("Happened", moment(record.occurred_at), "The provider's time. Events are applied in this order."),
            Fact("Received", moment(record.received_at)),
            Fact("Processed", moment(record.processed_at)),
            Fact("Received through", record.get_source_display()),
            Fact("Event", code(record.event_id), "The provider's id. A repeated delivery is ignored."),
            Fact("Request", code(record.request_id)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: WebhookEvent) -> list[Panel]:
        shown = shown_body(record)
        row = (format_html('<pre class="ch-payload" tabindex="0">{}</pre>', shown),)
        return [
            Panel("Payload, without secrets and personal data", ("Content",), [row], icon="code"),
            *changes_of_target(request, "webhook_event", record.pk),
        ]
