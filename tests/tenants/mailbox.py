"""What reaches people's mailboxes, and the links therein."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.core import mail
from django.core.mail import EmailMultiAlternatives

from apps.core.outbox import outbox_drain
from tests.contexts import console_context

_ADDRESS = re.compile(r"https?://\S+")


def delivered() -> list[EmailMultiAlternatives]:
    """The mails that leave when the outbox is carried out now; the mailbox is empty afterwards."""
    mail.outbox.clear()
    outbox_drain(console_context())
    found = [message for message in mail.outbox if isinstance(message, EmailMultiAlternatives)]
    mail.outbox.clear()
    return found


def path_in(message: EmailMultiAlternatives) -> str:
    """The path of the one link of the mail."""
    (address,) = set(_ADDRESS.findall(str(message.body)))
    return str(urlsplit(str(address)).path)


def link_sent_to(email: str) -> str:
    """The path of the link in the one mail that reaches this address now."""
    (message,) = [message for message in delivered() if message.to == [email]]
    return path_in(message)
