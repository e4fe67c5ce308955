"""The core's own call to the outside: e-mail."""

from __future__ import annotations

import hashlib
from email.utils import parseaddr
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from apps.core.outbox.handlers import Delivery, OutboxError, OutboxHandler, outbox_handler

EMAIL_KIND = "email.send"
_SMTP_PERMANENT = 500


@outbox_handler(EMAIL_KIND)
class EmailHandler(OutboxHandler):
    """Sends one e-mail. Payload: `to` (list), `subject`, `text`, optional `html`, `reply_to` (list).

    The key is the message's identity: a repeated try carries the same Message-ID, by which mail systems recognise it.
    """

    def unconfigured_reason(self) -> str:
        return "" if getattr(settings, "EMAIL_BACKEND", "") else "EMAIL_URL is not set."

    def deliver(self, delivery: Delivery) -> Any:
        message = _message(delivery)
        try:
            message.send()
        except SMTPRecipientsRefused as error:
            raise OutboxError("The mail server refuses the recipients.", permanent=True) from error
        except SMTPResponseException as error:
            is_permanent = error.smtp_code >= _SMTP_PERMANENT
            raise OutboxError(f"The mail server answered {error.smtp_code}.", permanent=is_permanent) from error
        except (SMTPException, OSError) as error:
            raise OutboxError(f"The mail server can't be reached: {type(error).__name__}.") from error


def _message(delivery: Delivery) -> EmailMultiAlternatives:
    payload = delivery.payload
    try:
        recipients, subject, text = list(payload["to"]), payload["subject"], payload["text"]
    except (KeyError, TypeError) as error:
        raise OutboxError(f"The payload is incomplete: {error}.", permanent=True) from error
    if any("\n" in value or "\r" in value for value in (subject, delivery.key, *recipients)):
        raise OutboxError("A recipient or the subject contains a line break.", permanent=True)
    message = EmailMultiAlternatives(
        subject=subject,
        body=text,
        to=recipients,
        reply_to=payload.get("reply_to") or None,
        headers={"Message-ID": message_id(delivery.key), "X-Idempotency-Key": delivery.key},
    )
    if payload.get("html"):
        message.attach_alternative(payload["html"], "text/html")
    return message


def message_id(key: str) -> str:
    """The Message-ID that stands for the key, below the domain of our sender's address."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"
