"""A real browser at the staff plane. It keeps what the browser complains of: scripts, resources, content policy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.browsing import violations

if TYPE_CHECKING:
    from pytest_django.live_server_helper import LiveServer

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


@dataclass
class StaffBrowser:
    """One tab. `complaints` must stay empty: refused scripts and styles are told on the console."""

    page: Any
    address: str
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Begin to keep the browser's complaints."""

        def keep(message: Any) -> None:
            if message.type == "error":
                self.complaints.append(message.text)

        self.page.on("console", keep)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str, *, until: str = "networkidle") -> int:
        """Go there, wait until the page is quiet (or has loaded), answer with the status."""
        response = self.page.goto(f"{self.address}{path}")
        self.page.wait_for_load_state(until)
        return int(response.status)

    def faults(self, how: str) -> list[str]:
        """What axe-core finds here, and whether the page is wider than its screen."""
        wide = ["too wide"] if self.is_too_wide() else []
        return [f"{self.page.url} {how}: {fault}" for fault in [*violations(self.page), *wide]]

    def is_too_wide(self) -> bool:
        """Whether the page has to be pushed sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@pytest.fixture
def staff_browser(transactional_db: None, live_server: LiveServer) -> Iterator[StaffBrowser]:
    """Chromium of the system. While it is open, this thread runs an event loop: no query from the test itself."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("There is no chromium on PATH.")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = StaffBrowser(browser.new_page(viewport=DESK), live_server.url)
        tab.listen()
        yield tab
        browser.close()
