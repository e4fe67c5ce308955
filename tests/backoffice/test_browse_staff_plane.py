"""A person's way through the staff plane in a real browser, without one complaint of it."""

from __future__ import annotations

import itertools
import re
from base64 import b32decode

import pytest
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.navigation import GROUPS
from apps.backoffice.registry import registered_pages
from apps.core import clock
from apps.core.enums import Role
from apps.core.states import OutboxStatus
from apps.tenants.models import User
from tests.backoffice.conftest import PHONE, StaffBrowser
from tests.backoffice.people import code_of, enrol
from tests.backoffice.records import MAKERS, make_outbox_item
from tests.factories.tenants import (
    PASSWORD,
    make_organization,
    make_product,
    make_staff,
)
from tests.sizes import size

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def staff(transactional_db: None) -> User:
    """A platform admin who has yet to enrol."""
    return make_staff(Role.PLATFORM_ADMIN)


@pytest.fixture
def _records(transactional_db: None) -> None:
    """Something to look at on every page."""
    for make in MAKERS.values():
        make()
    make_outbox_item(make_organization(name="<b>Bold & Sons</b>"), status=OutboxStatus.PARKED)


@pytest.fixture
def _product(transactional_db: None) -> None:
    make_product()


@pytest.fixture
def _organization(transactional_db: None) -> None:
    make_organization(name="<b>Bold & Sons</b>")


@pytest.fixture
def device(staff: User) -> TOTPDevice:
    """The person's second factor, enrolled before."""
    return enrol(staff)


def give_password(tab: StaffBrowser, email: str) -> None:
    tab.page.get_by_label("E-mail address").fill(email)
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Continue").click()


def enter(tab: StaffBrowser, staff: User, device: TOTPDevice) -> None:
    tab.open(reverse("admin:index"))
    give_password(tab, staff.email)
    tab.page.get_by_label("6-digit code").fill(code_of(device))
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    tab.page.wait_for_load_state("networkidle")


def test_enrols_at_the_first_sign_in_and_arrives_where_it_wanted_to(staff: User, staff_browser: StaffBrowser) -> None:
    tab = staff_browser
    wanted = reverse("admin:core_auditentry_changelist")
    tab.open(wanted)
    give_password(tab, staff.email)
    assert tab.page.get_by_alt_text("QR code").evaluate("image => image.naturalWidth") > 100
    tab.page.get_by_text("Can't scan the code?").click()
    secret = re.sub(r"\s", "", tab.page.locator("code.secret").inner_text())
    totp = TOTP(b32decode(secret))
    totp.time = clock.now().timestamp()
    tab.page.get_by_label("6-digit code").fill(f"{totp.token():06d}")
    tab.page.get_by_role("button", name="Confirm and sign in").click()
    tab.page.get_by_role("link", name="I have saved them").click()
    tab.page.wait_for_load_state("networkidle")
    assert tab.page.url == f"{tab.address}{wanted}"
    assert tab.page.get_by_role("heading", name="Audit log").is_visible()
    assert tab.complaints == []


def test_a_script_that_the_policy_refuses_would_be_noticed(
    staff: User, device: TOTPDevice, staff_browser: StaffBrowser
) -> None:
    """The negative control of `complaints == []`: an inline script, as an injected one would be."""
    tab = staff_browser
    for arrive in (lambda: tab.open(reverse("admin:login")), lambda: enter(tab, staff, device)):
        arrive()
        tab.complaints.clear()
        tab.page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.injected = 1'}))"
        )
        assert any("Content Security Policy" in complaint for complaint in tab.complaints)
        assert tab.page.evaluate("window.injected") is None


Look = tuple[dict[str, int], str]
# In the gate each page is opened once, in turn on a light desk and on a dark phone; every one must fit the phone.
SCREEN, NARROW = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
ALTERNATING: list[Look] = [(SCREEN, "light"), (PHONE, "dark")]
LOOKS: list[list[Look]] = [[look] for look in itertools.product((SCREEN, PHONE, NARROW), ("light", "dark"))]


@pytest.mark.usefixtures("_records")
@pytest.mark.parametrize("looks", size(small=[ALTERNATING], full=LOOKS))
def test_every_page_opens_on_desk_and_phone(
    staff: User, device: TOTPDevice, staff_browser: StaffBrowser, looks: list[Look]
) -> None:
    tab = staff_browser
    enter(tab, staff, device)
    lists = [reverse(f"admin:{page.route_prefix}_changelist") for page in registered_pages()]
    linked = [reverse(f"admin:{entry.route}") for _, entries in GROUPS for entry in entries]
    paths = dict.fromkeys((*linked, reverse("admin:password_change"), *lists))
    wrong: list[str] = []
    for path, (viewport, theme) in zip(paths, itertools.cycle(looks), strict=False):
        face(tab, viewport, theme)
        assert tab.open(path, until="load") == 200
        assert theme in (tab.page.locator("html").get_attribute("class") or "")
        wrong += tab.faults(theme)
        if path in lists:
            tab.page.locator("#result_list tbody a").first.click()
            tab.page.locator(".ch-facts").first.wait_for()
            wrong += tab.faults(theme)
        tab.page.set_viewport_size(NARROW if viewport == NARROW else PHONE)
        assert not tab.is_too_wide(), tab.page.url
    assert wrong == []
    assert tab.complaints == []


def face(tab: StaffBrowser, viewport: dict[str, int], theme: str) -> None:
    """How the next page is to be shown."""
    tab.page.set_viewport_size(viewport)
    tab.page.emulate_media(color_scheme=theme)
    tab.page.evaluate("theme => localStorage.setItem('adminTheme', JSON.stringify(theme))", theme)


@pytest.mark.usefixtures("_product")
def test_makes_a_token_sees_it_once_and_revokes_it(
    staff: User, device: TOTPDevice, staff_browser: StaffBrowser
) -> None:
    tab = staff_browser
    enter(tab, staff, device)
    tab.open(reverse("admin:tenants_product_changelist"))
    tab.page.locator("#result_list tbody a").first.click()
    tab.page.get_by_text("Create token").click()
    tab.page.locator("#dialog [name=name]").fill("browser")
    tab.page.get_by_role("button", name="Create token").click()
    tab.page.get_by_text("This field is required").wait_for()
    tab.page.locator("#dialog [name=reason]").fill("journey")
    tab.page.get_by_role("button", name="Create token").click()
    text = tab.page.locator(".ch-token").inner_text()
    assert text.startswith("chp_")
    tab.page.get_by_text("I have stored it").click()
    tab.page.get_by_text("Revoke token").click()
    tab.page.locator("#dialog [name=reason]").fill("journey over")
    tab.page.get_by_role("button", name="Revoke for good").click()
    tab.page.get_by_text("The token browser is revoked.").wait_for()
    assert text not in tab.page.content()
    assert tab.complaints == []


@pytest.mark.usefixtures("_organization")
def test_finds_an_organization_from_the_keyboard(staff: User, device: TOTPDevice, staff_browser: StaffBrowser) -> None:
    tab = staff_browser
    enter(tab, staff, device)
    tab.page.keyboard.press("Control+k")
    tab.page.locator("#search-input-command").press_sequentially("<b>bold")
    tab.page.locator("#command-results-list a").first.wait_for()
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("heading", name="<b>Bold & Sons</b>").wait_for()
    assert tab.complaints == []
