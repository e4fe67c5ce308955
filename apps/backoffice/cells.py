"""HTML for cells and facts. The one place where values of records are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince, timeuntil

from apps.core import clock
from apps.core.moments import in_zone, zone_of

Tone = Literal["neutral", "info", "good", "warn", "bad"]

# The parameter that names the page to which a dialog leads: "workspace:<key>".
BACK = "back"
NOTHING = mark_safe('<span class="ch-nothing" aria-label="none">&ndash;</span>')


def badge(text: str, tone: Tone = "neutral") -> SafeString:
    """A coloured label. The colour only repeats what the text says."""
    return format_html('<span class="ch-badge ch-badge-{}">{}</span>', tone, text)


def badges(texts: Iterable[str], tone: Tone = "neutral") -> SafeString:
    return format_html_join(" ", "{}", ((badge(text, tone),) for text in texts)) or NOTHING


def code(text: object) -> SafeString:
    """An id, slug or key in a monospaced font."""
    return format_html('<code class="ch-code">{}</code>', str(text)) if text not in {None, ""} else NOTHING


def copyable(text: object) -> SafeString:
    """An id in a monospaced font with a button that copies it."""
    return format_html(
        '<span class="ch-copy" x-data="{{ copied: false }}"><code class="ch-code">{}</code>'
        '<button type="button" class="ch-copy-button" data-text="{}" aria-label="Copy {}" x-on:click="'
        'navigator.clipboard.writeText($el.dataset.text); copied = true"><span class="material-symbols-outlined" '
        """aria-hidden="true" x-text="copied ? 'check' : 'content_copy'">content_copy</span></button></span>""",
        text,
        text,
        text,
    )


def moment(value: datetime | None) -> SafeString:
    """A moment in UTC to the minute, and how far away it is; the tooltip adds the seconds."""
    if value is None:
        return NOTHING
    value = value.astimezone(UTC)
    return format_html(
        '<time class="ch-time" datetime="{}" title="{} UTC">{} UTC<small>{}</small></time>',
        value.isoformat(),
        value.strftime("%Y-%m-%d %H:%M:%S"),
        value.strftime("%-d %b %Y, %H:%M"),
        relative(value),
    )


def day(value: datetime | None) -> SafeString:
    """The day in UTC, for narrow tables; the tooltip has the time."""
    if value is None:
        return NOTHING
    value = value.astimezone(UTC)
    return format_html(
        '<time class="ch-day" datetime="{}" title="{} UTC">{}</time>',
        value.isoformat(),
        value.strftime("%Y-%m-%d %H:%M:%S"),
        value.strftime("%-d %b %Y").replace(" ", "\u00a0"),
    )


def moment_there(value: datetime | None, zone: str) -> SafeString:
    """The moment as `moment` shows it, with the customer's own time beside it."""
    if value is None or zone == "UTC":
        return moment(value)
    there = in_zone(value, zone_of(zone))
    return format_html('{} <small class="ch-there">{} {}</small>', moment(value), f"{there:%-d %b %Y, %H:%M}", zone)


def relative(value: datetime) -> str:
    """How far away the moment is, in its largest unit: "3 days ago", "in 2 hours", "just now"."""
    now = clock.now()
    if abs(value - now) < timedelta(minutes=1):
        return "just now"
    if value > now:
        return f"in {timeuntil(value, now=now, depth=1)}"
    return f"{timesince(value, now=now, depth=1)} ago"


def ago(value: datetime | None) -> SafeString:
    """The time since `value` in its largest unit, such as "3 days ago"."""
    if value is None:
        return NOTHING
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', value.isoformat(), value, relative(value))


def number(value: int) -> str:
    return f"{value:,}"


def page_url(record: Model) -> str:
    """The address of the record's page."""
    return page_url_of(type(record), record.pk)


def page_url_of(model: type[Model], key: object) -> str:
    """The URL of the page of a record whose key is known."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=(key,))


def list_url(model: type[Model], **filters: object) -> str:
    """The URL of a list with these filters set."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def link(url: str, text: object) -> SafeString:
    return format_html('<a class="ch-link" href="{}">{}</a>', url, text)


def dialog_link(url: str, text: object) -> SafeString:
    """A link in a table that opens a verb's dialog, as the buttons of a record's page do."""
    return format_html(
        '<a class="ch-link" href="{}" hx-get="{}" hx-target="#modal-content" hx-select="#dialog" '
        'x-on:htmx:after-on-load="openModal = true">{}</a>',
        url,
        url,
        text,
    )


def record_link(record: Model | None, text: str = "") -> SafeString:
    """A link to the record's page, or a dash for None."""
    return link(page_url(record), text or str(record)) if record is not None else NOTHING


def title_and_slug(title: str, slug: str) -> SafeString:
    """A cell of two lines: a name, and a slug or detail below it."""
    return format_html('<span class="ch-two"><b>{}</b><small>{}</small></span>', title, slug)


def short(text: str, length: int = 80) -> SafeString:
    """The text cut to `length`, with the full text as tooltip."""
    if not text:
        return NOTHING
    shown = text if len(text) <= length else f"{text[: length - 1]}…"
    return format_html('<span title="{}">{}</span>', text, shown)


def counts(values: Mapping[str, object]) -> SafeString:
    """A job's counts as `name value` pairs."""
    if not values:
        return NOTHING
    return format_html_join(", ", "{} <b>{}</b>", ((name.replace("_", " "), value) for name, value in values.items()))


def happened(values: Mapping[str, object]) -> SafeString:
    """The counts for a list, without those that are zero: a run's page has them all."""
    return counts({name: value for name, value in values.items() if value != 0})


def side_by_side(links: Iterable[SafeString]) -> SafeString:
    """Several links in one cell, far enough apart to hit the right one."""
    return format_html('<span class="ch-decide">{}</span>', format_html_join(" ", "{}", ((link,) for link in links)))
