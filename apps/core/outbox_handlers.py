"""The core's own call to the outside: e-mail."""

from __future__ import annotations

import hashlib
from email.utils import parseaddr
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from apps.core.outbox.handlers import Delivery, OutboxError, OutboxHandler, outbox_handler

EMAIL_KIND = "email.send"
_SMTP_PERMANENT = 500
# What a mail may add of its own: a mail program then offers to end a list of mails by one click (RFC 8058).
_MORE_HEADERS = frozenset({"List-Unsubscribe", "List-Unsubscribe-Post"})


class RecipientRefusedError(OutboxError):
    """The mail server will never take mail for this recipient: it said so (SMTP 5xx) when the mail was handed over."""


@outbox_handler(EMAIL_KIND)
class EmailHandler(OutboxHandler):
    """Sends one e-mail. Payload: `to` (list), `subject`, `text`, optional `html`, `reply_to` (list), `headers`.

    The key is the message's identity: a repeated try carries the same Message-ID, by which mail systems recognise it.
    """

    def unconfigured_reason(self) -> str:
        return "" if getattr(settings, "EMAIL_BACKEND", "") else "EMAIL_URL is not set."

    def deliver(self, delivery: Delivery) -> Any:
        message = _message(delivery)
        try:
            message.send()
        except SMTPRecipientsRefused as error:
            # A busy server, or one that lists strangers as grey, says 4xx: it wants to be asked again.
            if any(code < _SMTP_PERMANENT for code, _ in error.recipients.values()):
                raise OutboxError("The mail server does not take the recipients now.") from error
            codes = ", ".join(sorted({str(code) for code, _ in error.recipients.values()}))
            raise RecipientRefusedError(f"The mail server refuses the recipients ({codes}).", permanent=True) from error
        except SMTPDataError as error:
            if error.smtp_code >= _SMTP_PERMANENT:
                raise RecipientRefusedError(
                    f"The mail server refuses the message ({error.smtp_code}).", permanent=True
                ) from error
            raise OutboxError(f"The mail server answered {error.smtp_code}.") from error
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
    more = {name: str(value) for name, value in (payload.get("headers") or {}).items() if name in _MORE_HEADERS}
    if any("\n" in value or "\r" in value for value in (subject, delivery.key, *recipients, *more.values())):
        raise OutboxError("A recipient, the subject or a header contains a line break.", permanent=True)
    message = EmailMultiAlternatives(
        subject=subject,
        body=text,
        to=recipients,
        reply_to=payload.get("reply_to") or None,
        headers={"Message-ID": message_id(delivery.key), "X-Idempotency-Key": delivery.key, **more},
    )
    if payload.get("html"):
        message.attach_alternative(payload["html"], "text/html")
    return message


def message_id(key: str) -> str:
    """The Message-ID that stands for the key, below the domain of our sender's address."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"
