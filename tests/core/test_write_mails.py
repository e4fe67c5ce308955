"""What every e-mail has: a link made from `PUBLIC_URL`, a named zone for each time, and text beside HTML."""

from __future__ import annotations

import ast
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from apps.core.mails import Mail, mail_payload, moment_in_zone, public_address
from billing_site.public_url import public_url
from tests.architecture.sources import Source, sources
from tests.markup import Page

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
OURS = ("billing.example.com", ".example.org", "[::1]", "localhost")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("https://billing.example.com", "https://billing.example.com"),
        ("https://billing.example.com/", "https://billing.example.com"),
        ("https://eu.example.org:8443", "https://eu.example.org:8443"),
        ("https://[::1]:8000", "https://[::1]:8000"),
    ],
)
def test_an_address_is_taken_without_the_slash_at_its_end(text: str, wanted: str) -> None:
    assert public_url(OURS)(text) == wanted


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("billing.example.com", "must be an address"),
        ("ftp://billing.example.com", "must be an address"),
        ("https://", "must be an address"),
        ("https://billing.example.com:port", "must be an address"),
        ("https://billing.exämple.com", "must be an address"),
        ("https://billing.example.com\n", "must be an address"),
        ("https:// billing.example.com", "must be an address"),
        ("javascript:alert(1)", "must be an address"),
        ("https://billing.example.com/app", "scheme and host alone"),
        ("https://billing.example.com//", "scheme and host alone"),
        ("https://billing.example.com?x=1", "scheme and host alone"),
        ("https://billing.example.com#x", "scheme and host alone"),
        ("https://user:pass@billing.example.com", "scheme and host alone"),
        ("https://elsewhere.example.net", "not among DJANGO_ALLOWED_HOSTS"),
    ],
)
def test_any_other_address_is_refused_in_one_sentence(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part) as refused:
        public_url(OURS)(text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("zone", "wanted"),
    [
        ("Europe/Berlin", "1 July 2026, 14:00 (Europe/Berlin)"),
        ("America/Argentina/Buenos_Aires", "1 July 2026, 09:00 (America/Argentina/Buenos Aires)"),
        ("Asia/Kolkata", "1 July 2026, 17:30 (Asia/Kolkata)"),
        ("UTC", "1 July 2026, 12:00 (UTC)"),
        ("No/Place", "1 July 2026, 12:00 (UTC)"),
    ],
)
def test_a_time_names_its_zone(zone: str, wanted: str) -> None:
    assert moment_in_zone(NOON, zone) == wanted


def test_text_and_html_say_the_same_and_names_are_no_markup(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://billing.example.com"
    mail = Mail(
        subject="Hello\r\nBcc: everybody@example.com",
        paragraphs=("Hello,", "<script>alert('Northwind & Sons')</script> invites you."),
        url=public_address("/sign-in/?a=1&b=2"),
        link_text="Sign in",
        after=("Good until noon.",),
    )
    payload = mail_payload(mail, to=["ann@example.com"])
    assert payload["subject"] == "Hello Bcc: everybody@example.com"
    page = Page(payload["html"])
    assert "https://billing.example.com/sign-in/?a=1&b=2" in payload["text"]
    assert page.links() == ["https://billing.example.com/sign-in/?a=1&b=2"]
    assert "script" not in {name for name, _ in page.elements}
    for paragraph in (*mail.paragraphs, *mail.after):
        assert paragraph in payload["text"]
        assert paragraph in page.text


def payload_makers() -> tuple[str, ...]:
    """`mail_payload`, and the functions of a module `mails` that call it for what they answer."""
    found = [
        f"{function.name}("
        for source in sources("apps")
        if source.path.endswith("/mails.py")
        for function in source.nodes
        if isinstance(function, ast.FunctionDef)
        if any(isinstance(node, ast.Call) and ast.unparse(node.func) == "mail_payload" for node in ast.walk(function))
    ]
    return ("mail_payload(", *found)


def mails_without_a_link(source: Source) -> list[str]:
    """Where an `email.send` item is written with a payload that `mail_payload` did not make."""
    makers = payload_makers()
    return [
        f"{source.path}:{node.lineno}"
        for node in source.nodes
        if isinstance(node, ast.Call)
        for values in [{keyword.arg: keyword.value for keyword in node.keywords}]
        if isinstance(node.func, ast.Name)
        and node.func.id == "outbox_enqueue"
        and ast.unparse(values["kind"]) in {"EMAIL_KIND", "'email.send'"}
        and not ast.unparse(values["payload"]).startswith(makers)
    ]


@pytest.mark.slow
def test_every_mail_of_the_product_carries_a_link() -> None:
    assert "alert_mail(" in payload_makers()
    assert [where for source in sources("apps") for where in mails_without_a_link(source)] == []


def test_a_mail_without_a_link_is_found() -> None:
    line = "outbox_enqueue(context, kind=EMAIL_KIND, key='x', payload={'text': 'Hello'})"
    assert mails_without_a_link(Source("made_up.py", line, ast.parse(line))) == ["made_up.py:1"]


def test_mails_name_whom_to_ask_where_there_is_somebody(settings: Settings) -> None:
    mail = Mail("Hello", ["Hello, Ann."], "https://x.example", "Go", after=["Ignore this if you like."])
    settings.SUPPORT_CONTACT = "Billing <billing@countinghouse.example>"
    payload = mail_payload(mail, to=["ann@example.com"])
    assert payload["text"].endswith("Ignore this if you like.\n\nQuestions? Write to billing@countinghouse.example.\n")
    assert 'href="mailto:billing@countinghouse.example"' in payload["html"]
    settings.SUPPORT_CONTACT = ""
    payload = mail_payload(mail, to=["ann@example.com"])
    assert payload["text"].endswith("Ignore this if you like.\n")
    assert "Questions?" not in payload["html"]
