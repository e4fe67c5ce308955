"""What our e-mails have in common: links made from `PUBLIC_URL`, times in a named zone, plain text beside HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from apps.core.moments import in_zone, zone_names, zone_of


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail. `paragraphs` come before the link and `after` behind it; `url` begins with `PUBLIC_URL`.

    `choose_url` is where admins choose who gets such mails.
    """

    subject: str
    paragraphs: Sequence[str]
    url: str
    link_text: str
    after: Sequence[str] = ()
    choose_url: str = ""


def public_address(path: str) -> str:
    """The full address of a path of ours. Never made from a request, whose Host header anybody may write."""
    return f"{settings.PUBLIC_URL}{path}"


def support_address() -> str:
    """The address that pages and mails name for questions; empty where none is set."""
    return parseaddr(settings.SUPPORT_CONTACT)[1]


def support_line() -> str:
    """The sentence that ends a mail; empty without an address."""
    address = support_address()
    return f"Questions? Write to {address}." if address else ""


def moment_in_zone(moment: datetime, time_zone: str) -> str:
    """The moment as a person in that time zone reads it, with the zone's name."""
    if time_zone not in zone_names():
        time_zone = "UTC"
    return f"{in_zone(moment, zone_of(time_zone)):%-d %B %Y, %H:%M} ({time_zone.replace('_', ' ')})"


def mail_payload(mail: Mail, *, to: Sequence[str]) -> dict[str, Any]:
    """The payload of an `email.send` item of the outbox."""
    choose = f"Choose who gets these mails:\n{mail.choose_url}" if mail.choose_url else ""
    lines = [*mail.paragraphs, f"{mail.link_text}:\n{mail.url}", *mail.after, choose, support_line()]
    text = "\n\n".join(filter(None, lines))
    return {
        "to": list(to),
        # One line: a subject with a break in it would be refused.
        "subject": " ".join(mail.subject.split()),
        "text": f"{text}\n",
        "html": render_to_string("core/mail.html", {"mail": mail, "support": support_address()}),
    }
