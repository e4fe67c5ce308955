"""A browser's tab on the billing pages: the system's chromium, with everything that it complains about kept."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.browsing import violations
from tests.factories.tenants import PASSWORD

# What sticks out of the screen; what scrolls within its own card does not.
_TOO_WIDE = """() => document.documentElement.scrollWidth <= window.innerWidth ? []
    : [...document.querySelectorAll("*")]
    .filter((node) => node.getBoundingClientRect().right > window.innerWidth && !node.closest(".scroll"))
    .map((node) => `${node.tagName}.${node.className}`)"""
EMAIL = "ann@northwind.example"
SIZES = {"phone": {"width": 360, "height": 780}, "desk": {"width": 1280, "height": 900}}
LOOKS = list(itertools.product(SIZES, ("light", "dark")))
# What the gate looks at; `make prove` looks at all.
ALTERNATING = [("desk", "light"), ("phone", "dark")]


class Tab:
    """One tab. `complaints` must stay empty: refused scripts, styles and resources are told on the console."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: Any) -> None:
        """What other sites' pages complain of is theirs."""
        if message.type == "error" and message.location.get("url", "").startswith(self.address):
            self.complaints.append(message.text)

    def check(self, *, statuses: tuple[int, ...] = (), is_settled: bool = False) -> None:
        """The page fits the screen and passes axe-core's rules for WCAG 2.2 AA and its best practices.

        The console also tells of a page with an error status; those that are meant are no complaints. `is_settled`: the
        page asks for nothing more by itself, so that nothing is waited for.
        """
        meant = [f"the server responded with a status of {status} " for status in statuses]
        self.complaints = [text for text in self.complaints if not any(words in text for words in meant)]
        if not is_settled:
            self.page.wait_for_load_state("networkidle")
        told = violations(self.page)
        assert told == [], f"{self.page.url}: {told}"
        too_wide = self.page.evaluate(_TOO_WIDE)
        assert too_wide == [], f"{self.page.url}: {too_wide}"

    def sign_in(self) -> None:
        self.page.get_by_label("E-mail address").fill(EMAIL)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()


Opener = Callable[..., AbstractContextManager[Tab]]


@pytest.fixture
def open_tab(live_server: LiveServer) -> Iterator[Opener]:
    """Chromium of the system. While it is open, this thread runs an event loop: no query from the test itself."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("There is no chromium on PATH.")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        @contextmanager
        def opened(**wishes: Any) -> Iterator[Tab]:
            context = browser.new_context(**wishes)
            tab = Tab(context.new_page(), live_server.url)
            yield tab
            assert tab.complaints == []
            context.close()

        yield opened
        browser.close()
