"""A staff person enrols, stores the recovery codes, and signs in with one when the authenticator is not at hand."""

from __future__ import annotations

import re
from base64 import b32decode
from pathlib import Path

import pytest
from django_otp.oath import TOTP

from apps.core import clock
from apps.core.enums import Role
from apps.tenants.models import User
from tests.factories.tenants import PASSWORD, make_staff
from tests.journeys.tabs import ALTERNATING, LOOKS, Opener, Tab
from tests.journeys.tabs import open_tab as open_tab  # noqa: PLC0414 - a fixture of this module
from tests.sizes import size

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.journey, pytest.mark.browser]

SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 900}}


@pytest.fixture
def person() -> User:
    return make_staff(Role.BILLING_OPERATIONS, email="pat@countinghouse.example")


def give_password(tab: Tab) -> None:
    tab.page.get_by_label("E-mail address").fill("pat@countinghouse.example")
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Continue").click()


def code_on_page(tab: Tab) -> tuple[str, TOTP]:
    """The code of the secret that the page shows, as an authenticator would tell it."""
    tab.page.get_by_text("Can't scan the code?").click()
    totp = TOTP(b32decode(re.sub(r"\s", "", tab.page.locator("code.secret").inner_text())))
    totp.time = clock.now().timestamp()
    return f"{totp.token():06d}", totp


def enrol(tab: Tab) -> TOTP:
    tab.page.goto(f"{tab.address}/admin/")
    give_password(tab)
    code, totp = code_on_page(tab)
    tab.check()
    tab.page.get_by_label("6-digit code").fill(code)
    tab.page.get_by_role("button", name="Confirm and sign in").click()
    tab.page.get_by_role("heading", name="Save your recovery codes").wait_for()
    tab.check()
    return totp


def store_codes(tab: Tab, folder: Path) -> list[str]:
    """Download and copy them; both are what the page shows."""
    codes: list[str] = tab.page.locator("#codes code").all_inner_texts()
    assert len(set(codes)) == 10
    with tab.page.expect_download() as started:
        tab.page.get_by_role("link", name="Download").click()
    started.value.save_as(folder / "codes.txt")
    assert [line for line in (folder / "codes.txt").read_text().splitlines() if line in codes] == codes
    tab.page.get_by_role("button", name="Copy").click()
    tab.page.get_by_role("button", name="Copied").wait_for()
    assert tab.page.evaluate("navigator.clipboard.readText()").split() == codes
    assert tab.page.get_by_role("button", name="Print").is_visible()
    tab.page.get_by_role("link", name="I have saved them").click()
    tab.page.wait_for_url("**/admin/")
    return codes


def use_code(tab: Tab, code: str) -> None:
    tab.page.goto(f"{tab.address}/admin/jobs/")
    give_password(tab)
    tab.check()
    tab.page.get_by_role("link", name="Use a recovery code").click()
    tab.page.get_by_label("Recovery code").fill("7KQD-M3XA")
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    tab.page.get_by_text("16 letters and digits").wait_for()
    tab.check()
    tab.page.get_by_label("Recovery code").fill(code.lower())
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    tab.page.wait_for_url("**/admin/jobs/")
    tab.page.get_by_text("9 of 10 left").wait_for()


@pytest.mark.parametrize(("screen", "scheme"), size(small=ALTERNATING, full=LOOKS))
def test_from_enrolment_to_a_sign_in_with_a_recovery_code(
    person: User, open_tab: Opener, screen: str, scheme: str, tmp_path: Path
) -> None:
    look = {"viewport": SIZES[screen], "color_scheme": scheme}
    with open_tab(**look, permissions=["clipboard-read", "clipboard-write"]) as tab:
        totp = enrol(tab)
        codes = store_codes(tab, tmp_path)
    with open_tab(**look) as tab:
        use_code(tab, codes[0])
        tab.page.goto(f"{tab.address}/admin/second-factor/")
        tab.page.get_by_text("9 of 10 recovery codes left").wait_for()
        tab.check()
        # Not the code that enrolled, which works once: the one of now, else the next.
        totp.time = max(clock.now().timestamp(), totp.time + totp.step)
        tab.page.get_by_label("6-digit code").fill(f"{totp.token():06d}")
        tab.page.get_by_role("button", name="Make new codes").click()
        tab.page.get_by_text("Your earlier codes no longer work.").wait_for()
        assert not set(tab.page.locator("#codes code").all_inner_texts()) & set(codes)


def test_without_javascript_the_codes_can_still_be_stored(person: User, open_tab: Opener) -> None:
    with open_tab(viewport=SIZES["phone"], java_script_enabled=False) as tab:
        tab.page.goto(f"{tab.address}/admin/")
        give_password(tab)
        tab.page.get_by_label("6-digit code").fill(code_on_page(tab)[0])
        tab.page.get_by_role("button", name="Confirm and sign in").click()
        assert tab.page.get_by_role("link", name="Download").is_visible()
        assert not tab.page.get_by_role("button", name="Copy").is_visible()
        assert tab.page.locator("#codes code").count() == 10


def test_whoever_tries_too_often_is_told_how_long_to_wait(person: User, open_tab: Opener) -> None:
    with open_tab(viewport=SIZES["phone"]) as tab:
        tab.page.goto(f"{tab.address}/admin/")
        for _ in range(6):
            tab.page.get_by_label("E-mail address").fill("pat@countinghouse.example")
            tab.page.get_by_label("Password").fill("wrong")
            tab.page.get_by_role("button", name="Continue").click()
        tab.page.get_by_text("Try again in 15 minutes").wait_for()
        # The browser tells every 429 on its console.
        tab.complaints.clear()
        tab.check()
