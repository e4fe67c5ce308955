"""Somebody of the staff at their desk: begins at the overview, and goes on by what stands on the page alone."""

from __future__ import annotations

import html
import re
from typing import cast

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.core.enums import Role
from tests.backoffice.people import client_of
from tests.markup import Page

SCRIPT = {"HX-Request": "true"}
WHY = "ticket 4711"
_HIDDEN = re.compile(r'<input type="hidden" name="(key|token|version)" value="([^"]*)"')


class Desk:
    """Counts each page and dialog that is opened. A link that is not on the page can't be followed."""

    def __init__(self, role: Role = Role.BILLING_OPERATIONS) -> None:
        self.client: Client = client_of(role)
        self.steps = 0
        self.html = self.client.get(reverse("admin:index")).content.decode()
        self.url = reverse("admin:index")

    @property
    def text(self) -> str:
        return Page(self.html).text

    def _show(self, answer: HttpResponse, url: str) -> None:
        assert answer.status_code == 200, answer.content.decode()[-2000:]
        self.html, self.url = answer.content.decode(), url
        self.steps += 1

    def search(self, term: str) -> Desk:
        """Ctrl+K, the term, Enter."""
        self._show(cast("HttpResponse", self.client.get(reverse("admin:search"), {"s": term})), self.url)
        return self

    def follow(self, url: str) -> Desk:
        """The first link or button of the page that leads to this address, with whatever it adds to it."""
        found = re.search(rf'(?:href|hx-get)="({re.escape(url)}(?:[?#][^"]*)?)"', self.html)
        assert found, f"{url} is not on the page {self.url}: {self.text[:500]}"
        address = html.unescape(found[1])
        self._show(cast("HttpResponse", self.client.get(address)), address)
        return self

    def ask(self, **fields: str) -> Desk:
        """Fill in fields of the page's filter or question, and send it."""
        named = {attributes.get("name") for name, attributes in Page(self.html).elements if name in {"input", "select"}}
        assert set(fields) <= named, (set(fields) - named, self.url)
        path = self.url.partition("?")[0]
        self._show(cast("HttpResponse", self.client.get(path, fields)), path)
        return self

    def confirm(self, **fields: str) -> str:
        """Fill in the dialog that is open, look at its preview where it has one, apply it; what is said then."""
        typed = {"reason": WHY, **self._hidden(self.html), **fields}
        if 'value="preview"' in self.html:
            shown = self.client.post(self.url, {**typed, "step": "preview"}, headers=SCRIPT).content.decode()
            if 'value="apply"' not in shown:
                return Page(shown).text
            typed |= self._hidden(shown)
        answer = self.client.post(self.url, {**typed, "step": "apply"}, headers=SCRIPT)
        leads_to = answer.headers.get("HX-Redirect", "")
        if not leads_to:
            return Page(answer.content.decode()).text
        self.html, self.url = self.client.get(leads_to).content.decode(), leads_to
        return self.text

    @staticmethod
    def _hidden(text: str) -> dict[str, str]:
        return {name: html.unescape(value) for name, value in _HIDDEN.findall(text)}


def page_of(model: str, key: object) -> str:
    """The address of a record's page."""
    return reverse(f"admin:{model}_change", args=(key,))


def list_of(model: str) -> str:
    return reverse(f"admin:{model}_changelist")


def dialog_of(model: str, verb: str, key: object) -> str:
    return reverse(f"admin:{model}_{verb}", args=(key,))
