"""The second factor: one TOTP device for each person. The row lock makes each code valid once (django-otp).

An unconfirmed device belongs to one session. Someone who knows only the password gets a secret of their own, never
one that somebody else may confirm; the first confirmation removes all other unconfirmed devices.
"""

from __future__ import annotations

from base64 import b32encode
from dataclasses import dataclass
from datetime import timedelta

import segno
from django.db import transaction
from django.http import HttpRequest
from django_otp import login as mark_verified
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.events import SECOND_FACTOR_ENROLLED, SECOND_FACTOR_REMOVED
from apps.backoffice.sign_in.recovery_codes import audit_use, recovery_code_use
from apps.backoffice.staff import context_of
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError
from apps.core.ids import AuditTarget, UserId
from apps.tenants.brute_force import begin_guess, clear_failures
from apps.tenants.guess_limits import GuessKind
from apps.tenants.models import RecoveryCode, User
from apps.tenants.selectors.users import user_for_update

DEVICE_NAME = "Authenticator app"
WRONG_CODE = "That code is wrong or was already used. Wait for the next one, and check the clock of your phone."
WRONG_RECOVERY_CODE = "That is not one of your recovery codes, or you already used it. Try another one."
# A secret that waits longer is replaced: its page may have stayed open somewhere.
WAITS_AT_MOST = timedelta(hours=1)
_WAITING = "enrolling_device"


@dataclass(frozen=True, slots=True)
class WaitingDevice:
    """The unconfirmed device of this session."""

    device: TOTPDevice
    is_fresh: bool

    @property
    def secret(self) -> str:
        """The secret in groups of four characters."""
        text = b32encode(self.device.bin_key).decode("ascii")
        return " ".join(text[start : start + 4] for start in range(0, len(text), 4))

    @property
    def qr_code(self) -> str:
        """The secret as a QR code in a `data:` URL, which the Content-Security-Policy allows for images."""
        return str(segno.make(self.device.config_url, error="m").svg_data_uri(scale=5, border=2, light="#fff"))


def has_second_factor(user: User) -> bool:
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


@transaction.atomic
def device_to_enrol(request: HttpRequest, user: User) -> WaitingDevice | None:
    """Return this session's unconfirmed device; create one if there is none or its secret is too old.

    None where the user has a second factor by now: another session may have confirmed one since the caller looked.
    """
    user_for_update(UserId(user.pk))
    if has_second_factor(user):
        return None
    waiting = TOTPDevice.objects.filter(user=user, confirmed=False)
    oldest = clock.real_now() - WAITS_AT_MOST
    waiting.filter(created_at__lt=oldest).delete()
    device = waiting.filter(pk=request.session.get(_WAITING)).first()
    if device is not None:
        return WaitingDevice(device, is_fresh=False)
    device = TOTPDevice.objects.create(user=user, name=DEVICE_NAME, confirmed=False)
    request.session[_WAITING] = device.pk
    return WaitingDevice(device, is_fresh=True)


def try_code(request: HttpRequest, user: User, code: str) -> bool:
    """Check a code of the authenticator and, if it is right, verify the session. Raises `TooManyGuessesError`."""
    guess = begin_guess(request, GuessKind.CODE, user.email)
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True).order_by("pk").first()
        if device is None or not device.verify_token(code):
            return False
        _open_session(request, device)
    clear_failures(guess)
    return True


def try_recovery_code(request: HttpRequest, user: User, code: str) -> int | None:
    """Check a recovery code; a right one is used and verifies the session. Return how many are left, None if wrong.

    Raises `TooManyGuessesError`. The session belongs to the authenticator and ends when that is removed.
    """
    guess = begin_guess(request, GuessKind.CODE, user.email)
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True).order_by("pk").first()
        if device is None or not recovery_code_use(UserId(user.pk), code):
            return None
        _open_session(request, device)
        left = audit_use(context_of(request), user_id=UserId(user.pk))
    clear_failures(guess)
    return left


def confirm_first_code(request: HttpRequest, user: User, code: str) -> bool:
    """Check the first code of this session's unconfirmed device; a right one confirms it and verifies the session.

    Removes all other unconfirmed devices. Raises `TooManyGuessesError`.
    """
    guess = begin_guess(request, GuessKind.CODE, user.email)
    with transaction.atomic():
        # Two sessions that confirm at once: the second finds that the person has a factor.
        user_for_update(UserId(user.pk))
        devices = TOTPDevice.objects.filter(user=user)
        device = devices.filter(confirmed=False, pk=request.session.get(_WAITING)).first()
        if device is None or devices.filter(confirmed=True).exists() or not device.verify_token(code):
            return False
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        devices.filter(confirmed=False).delete()
        _open_session(request, device)
        del request.session[_WAITING]
        _audit_enrolment(request, user)
    clear_failures(guess)
    return True


@transaction.atomic
def second_factor_remove(context: ExecutionContext, *, user_id: UserId, reason: str) -> None:
    """Remove the person's devices and recovery codes. Open sessions need a second factor again at once.

    Raises `ConflictError` if there is none.
    """
    user_for_update(user_id)
    devices = TOTPDevice.objects.filter(user=user_id)
    removed, _ = devices.filter(confirmed=True).delete()
    if not removed:
        raise ConflictError("This person has no second factor. They set one up at the next sign-in.")
    devices.delete()
    RecoveryCode.objects.filter(user=user_id).delete()
    audit_append(
        context,
        SECOND_FACTOR_REMOVED,
        AuditTarget("user", user_id),
        before={"device_count": removed},
        after={"device_count": 0},
        reason=reason,
    )


def _audit_enrolment(request: HttpRequest, user: User) -> None:
    audit_append(context_of(request), SECOND_FACTOR_ENROLLED, user.audit_target, after={"device_name": DEVICE_NAME})


def _open_session(request: HttpRequest, device: TOTPDevice) -> None:
    mark_verified(request, device)
    # Whoever saw the key of the half-open session can't ride on the open one.
    request.session.cycle_key()
