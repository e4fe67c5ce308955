"""Staff for tests of the staff plane: enrolled, and signed in behind both factors."""

from __future__ import annotations

from typing import cast

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.core import clock
from apps.core.enums import Role
from apps.tenants.models import User
from tests.factories.tenants import PASSWORD, make_staff


def enrol(user: User) -> TOTPDevice:
    """A confirmed device of the person."""
    device: TOTPDevice = TOTPDevice.objects.create(user=user, name="test", confirmed=True)
    return device


def code_of(device: TOTPDevice, *, steps_later: int = 0) -> str:
    """The code that the person's authenticator shows now, or that many steps later."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = clock.now().timestamp() + steps_later * device.step
    return f"{totp.token():06d}"


def wrong_code_of(device: TOTPDevice) -> str:
    """Six digits that the device takes neither now nor a step away."""
    taken = {code_of(device, steps_later=steps) for steps in (-1, 0, 1)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in taken)


def sign_in(client: Client, user: User) -> None:
    """Behind both factors, without walking through the pages."""
    device = TOTPDevice.objects.filter(user=user, confirmed=True).first() or enrol(user)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()


def give_password(client: Client, email: str, password: str = PASSWORD, **extra: str) -> HttpResponse:
    """The first step of the sign-in."""
    return cast("HttpResponse", client.post(reverse("admin:login"), {"username": email, "password": password, **extra}))


def client_of(role: Role) -> Client:
    """A browser in which somebody with the role is signed in."""
    client = Client()
    sign_in(client, make_staff(role))
    return client
