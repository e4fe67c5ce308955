"""The limits fit together: what a view takes gets through, and the note for operators tells the true values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from apps.core.wire.parser import DEFAULT_BODY_LIMIT
from billing_site.launcher.children import WEB_OPTIONS
from billing_site.launcher.places import PROJECT
from billing_site.web import limits

NOTE = PROJECT / "docs" / "deployment.md"


def body_limits(patterns: list[URLPattern | URLResolver]) -> Iterator[int]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from body_limits(pattern.url_patterns)
        elif hasattr(pattern.callback, "view_class"):
            yield int(getattr(pattern.callback.view_class, "body_limit", DEFAULT_BODY_LIMIT))


def test_the_front_lets_through_what_any_view_takes() -> None:
    assert max(body_limits(get_resolver().url_patterns)) == limits.LARGEST_BODY
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE >= limits.LARGEST_BODY


def test_the_note_for_operators_names_every_limit_with_its_value() -> None:
    said = dict(re.findall(r"^\|[^|]*\| `([A-Z_]+)` \| ([^|]+?) \|$", NOTE.read_text(encoding="utf-8"), re.MULTILINE))
    values = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert {name: _value(text) for name, text in said.items()} == values


def test_the_note_for_operators_shows_the_command() -> None:
    text = NOTE.read_text(encoding="utf-8")
    assert all(option in text for option in WEB_OPTIONS)


def _value(text: str) -> int:
    number, _, unit = text.partition(" ")
    return int(number.replace(",", "")) * {"KiB": 1024, "MiB": 1024 * 1024}.get(unit, 1)
