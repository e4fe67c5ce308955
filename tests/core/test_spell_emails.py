"""One mailbox has one spelling, and what only looks alike is another mailbox or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.emails import LONGEST_EMAIL, EmailAddressError, canonical_email, email_to_find

ONE_MAILBOX = {
    "ann@example.com": [
        "ANN@EXAMPLE.COM",
        "Ann@Example.Com",
        '"ann"@example.com',
        "ann@example\u3002com",
        "ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ",  # noqa: RUF001 - full-width letters are the case
        "ann@exam\u00adple.com",
        "ann@\u200bexample.com",
    ],
    "kim@example.com": ["\u212aim@example.com", "KIM@example.com"],
    "sam@example.com": ["\u017fam@example.com"],
    "ann@kelvin.example": ["ann@\u212aelvin.example"],
    "ann@xn--mnchen-3ya.de": ["ann@münchen.de", "ann@MÜNCHEN.DE", "ann@XN--MNCHEN-3YA.DE", "ann@mu\u0308nchen.de"],
    "ann@xn--strae-oqa.de": ["ann@straße.de", "ann@STRAẞE.DE"],
    "ann@strasse.de": ["ann@STRASSE.DE"],
    "ann@xn--r8jz45g.jp": ["ann@例え.jp", "ann@例え。jp"],
    "ann@xn--stanbul-qfb.com": ["ann@\u0131stanbul.com"],
    "ann@istanbul.com": ["ann@ISTANBUL.com"],
    "ann@xn--pple-43d.com": ["ann@\u0430pple.com"],
    "ann@xn--i-7iq.ws": ["ANN@XN--I-7IQ.WS"],
}
NO_MAILBOX = {
    "m\u0131ke@example.com": "U+0131",
    "M\u0130KE@example.com": "U+0130",
    "straße@example.com": "U+00DF",
    "\u0430nn@example.com": "U+0430",
    "an\u200bn@example.com": "U+200B",
    "\ud800@example.com": "U+D800",
    "ann@\ud800.com": "no valid international name",
    "ann@i\u2764.ws": "no valid international name",
    "ann@a\u200d.com": "no valid international name",
    "ann@[127.0.0.1]": "not a network address",
    "ann@[IPv6:::1]": "not a network address",
    '"a n"@example.com': "one e-mail address",
    '"a"b"@example.com': "quotation marks",
    "a@b@example.com": "one e-mail address",
    "a\uff20b@example.com": "one e-mail address",
    "ann@example.com.": "one e-mail address",
    "ann@localhost": "one e-mail address",
    "ann@.example.com": "one e-mail address",
    " ann@example.com": "one e-mail address",
    "ann@example.com\n": "one e-mail address",
    "ann\x00@example.com": "one e-mail address",
    "ann@example.com\x00": "one e-mail address",
    "ann": "one e-mail address",
    "@example.com": "one e-mail address",
    "ann@": "one e-mail address",
    "": "one e-mail address",
    "a" * LONGEST_EMAIL + "@example.com": "at most 254",
    "ann@"
    + "ü" * 60
    + "."
    + "ü" * 60
    + "."
    + "ü" * 60
    + "."
    + "ü" * 60
    + ".de": "one e-mail address|at most 254|no valid",
    "a@" + "\ufdfa" * 40 + ".de": "at most 254|no valid",
}
ANY_TEXT = st.text(st.characters(), max_size=20)


@pytest.mark.parametrize(("kept", "spelled"), [(kept, text) for kept, texts in ONE_MAILBOX.items() for text in texts])
def test_each_spelling_of_a_mailbox_is_kept_as_one(kept: str, spelled: str) -> None:
    assert canonical_email(spelled) == kept
    assert canonical_email(kept) == kept
    assert email_to_find(f" {spelled}\t") == kept


@pytest.mark.parametrize(("text", "reason"), NO_MAILBOX.items())
def test_what_is_no_mailbox_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(EmailAddressError, match=reason.replace("+", r"\+")):
        canonical_email(text)


@given(local=ANY_TEXT, domain=ANY_TEXT)
def test_whatever_is_taken_is_ascii_and_a_second_reading_changes_nothing(local: str, domain: str) -> None:
    try:
        kept = canonical_email(f"{local}@{domain}.example")
    except EmailAddressError:
        return
    assert kept.isascii()
    assert kept == kept.lower() == canonical_email(kept) == email_to_find(kept)


@given(text=ANY_TEXT)
def test_looking_for_anything_is_an_answer(text: str) -> None:
    assert "\x00" not in email_to_find(text)
