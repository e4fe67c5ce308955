"""Addresses that carry who may do what without signing in: to confirm an address, and to get no more mail.

A signature stands in for a stored secret: the links of years of mails go on working, and nothing about them is kept.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.core import signing
from django.urls import reverse

from apps.core.mails import public_address

CONFIRM_WITHIN = timedelta(days=7)
_UNSUBSCRIBE, _CONFIRM = "reporting.unsubscribe", "reporting.confirm"


def unsubscribe_address(recipient_id: UUID) -> str:
    """The full address that ends mails to the recipient; never runs out, and is the same at every try of a mail."""
    token = signing.Signer(salt=_UNSUBSCRIBE).sign(str(recipient_id))
    return public_address(reverse("report-unsubscribe", args=[token]))


def confirm_address(recipient_id: UUID, email: str) -> str:
    """The full address by which whoever reads the mailbox agrees to get reports; runs out."""
    token = signing.dumps([str(recipient_id), email], salt=_CONFIRM)
    return public_address(reverse("report-confirm", args=[token]))


def read_unsubscribe(token: str) -> UUID | None:
    """Whom the link is for; None for what we did not sign."""
    try:
        return UUID(signing.Signer(salt=_UNSUBSCRIBE).unsign(token))
    except (signing.BadSignature, ValueError):
        return None


def read_confirm(token: str) -> tuple[UUID, str] | None:
    """Whom the link is for, and the address that it was mailed to; None for what is too old or not ours."""
    try:
        recipient_id, email = signing.loads(token, salt=_CONFIRM, max_age=CONFIRM_WITHIN)
        return UUID(str(recipient_id)), str(email)
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        return None
