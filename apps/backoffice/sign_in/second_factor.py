"""The second factor: one TOTP device a person, checked under its row lock, each code good once (django-otp)."""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass
from typing import Any

import segno
from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest
from django_otp import login as mark_verified
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.events import SECOND_FACTOR_ENROLLED, SECOND_FACTOR_REMOVED
from apps.backoffice.staff import context_of
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.ids import UserId
from apps.tenants.models import User

DEVICE_NAME = "Authenticator app"


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """What a code came to. `wait_seconds` is above zero when codes are not looked at for that long."""

    is_right: bool
    wait_seconds: int = 0

    @property
    def refusal(self) -> str:
        """The sentence for a code that was not taken."""
        if self.wait_seconds:
            unit = "second" if self.wait_seconds == 1 else "seconds"
            return f"Too many wrong codes. Wait {self.wait_seconds} {unit}, then enter a fresh one."
        return "That code is wrong, or was used before. Wait for the next one, and check your phone's clock."


def has_second_factor(user: User) -> bool:
    """Whether the person has enrolled."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


@transaction.atomic
def device_to_enrol(user: User) -> TOTPDevice:
    """The device that waits for its first code, the same one until then; made when there is none."""
    # Two pages opened at once wait here for one another, and show the same secret.
    get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
    waiting = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    return waiting or TOTPDevice.objects.create(user=user, name=DEVICE_NAME, confirmed=False)


@transaction.atomic
def code_check(request: HttpRequest, user: User, code: str, *, enrolling: bool = False) -> CodeCheck:
    """Try the code; a right one marks the session as verified and gives it a new key.

    Wrong ones are throttled by the device (1, 2, 4, … seconds), a used one is wrong. Enrolling confirms the device.
    """
    device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=not enrolling).order_by("pk").first()
    if device is None:
        return CodeCheck(is_right=False)
    is_open, refusal = device.verify_is_allowed()
    if not is_open:
        return CodeCheck(is_right=False, wait_seconds=_seconds_of(refusal))
    if not device.verify_token(code):
        return CodeCheck(is_right=False)
    if enrolling:
        device.confirmed = True
        device.save(update_fields=["confirmed"])
    mark_verified(request, device)
    # Whoever saw the key of the half-open session can't ride on the open one.
    request.session.cycle_key()
    if enrolling:
        _audit_enrolment(request, user)
    return CodeCheck(is_right=True)


@transaction.atomic
def second_factor_remove(context: ExecutionContext, *, user_id: UserId, reason: str) -> None:
    """Take the person's devices away, for one that is lost; every open session of theirs is half open at once.

    Raises `ConflictError` when there is nothing to take away.
    """
    removed, _ = TOTPDevice.objects.filter(user=user_id, confirmed=True).delete()
    if not removed:
        raise ConflictError("There is no second factor to remove: the next sign-in enrols one.")
    audit_append(
        context,
        event=SECOND_FACTOR_REMOVED,
        target_type="user",
        target_id=user_id,
        before={"device_count": removed},
        after={"device_count": 0},
        reason=reason,
    )


def _audit_enrolment(request: HttpRequest, user: User) -> None:
    audit_append(
        context_of(request),
        event=SECOND_FACTOR_ENROLLED,
        target_type="user",
        target_id=user.pk,
        before={},
        after={"device_name": DEVICE_NAME},
    )


def _seconds_of(refusal: dict[str, Any]) -> int:
    remaining = (refusal["locked_until"] - clock.now()).total_seconds()
    return max(1, int(remaining) + 1)


def secret_text(device: TOTPDevice) -> str:
    """The secret in groups of four, for typing it in."""
    text = b32encode(device.bin_key).decode("ascii")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def qr_code(device: TOTPDevice) -> str:
    """The secret as a QR code, in a `data:` address that the Content-Security-Policy allows for images."""
    return str(segno.make(device.config_url, error="m").svg_data_uri(scale=5, border=2, light="#fff"))
