"""Requests made up from one seed: a sound request of a route, with some of its parts exchanged for worse ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

# What a lenient reader would take, shorten, convert or stumble over.
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    -0.0,
    10**30,
    -(10**30),
    2**63,
    2**63 - 1,
    -(2**63),
    2**31,
    1e308,
    [],
    {},
    [[]],
    {"a": {}},
    [None],
    "",
    " ",
    "\t",
    "\n",
    "0",
    "-0",
    "00",
    "1",
    "+1",
    "1_000",
    "\uff11\uff12",
    "1e3",
    "1e400",
    "NaN",
    "Infinity",
    "0.0000001",
    "999999999.999999",
    "1000000000",
    "1000000000.000001",
    "-1000000000",
    "9" * 40,
    "9" * 400,
    "null",
    "true",
    "organization",
    "user",
    "owner",
    "auto",
    "2026-04",
    "2026-13",
    "0000-00",
    "9999-12",
    "2026-04-03",
    "2026-04-03T10:00:00Z",
    "2026-04-03T10:00:00.123456789Z",
    "2016-12-31T23:59:60Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31",
    "0001-01-01",
    "1970-01-01T00:00:00Z",
    "2200-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "Europe/Berlin",
    "localtime",
    "../../etc/passwd",
    "posix/UTC",
    "ann@example.com",
    "ann@münchen.de",
    "ann@xn--a",
    '"a b"@example.com',
    "m\u0131ke@example.com",
    "ann@[::1]",
    "00000000-0000-0000-0000-000000000000",
    "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
    "x" * 255,
    "x" * 256,
    "x" * 5_000,
    "é" * 255,
    "\U0001f600" * 256,
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "\u202eabc",
    "\u200b",
    "\ufeff",
    "\ufffe",
    "\U000e0041",
    "\ud800",
    "%00",
    "%",
    "%%",
    "{}",
    "{0}",
    "%s",
    "'",
    '"',
    "\\",
    "';--",
    "<script>",
    "=1+1",
    "@SUM(1)",
    "a/b",
    "..",
    "?",
    "#",
    "&",
    "café",
    "\ufb03",
    "ß",
    "İ",
    "a\u0301",
)
UNKNOWN_NAMES = (
    "bonus_type",
    "Id",
    "id ",
    "ID",
    "__proto__",
    "",
    "\u0131d",
    "accoun",
    "quantity[]",
    "user.id",
    "x" * 300,
)
OTHER_TYPES = ("text/plain", "application/json; charset=utf-16", "application/xml", "multipart/form-data")
BAD_BODIES = (
    b"",
    b" ",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"1",
    b"{}",
    b'{"id": 1e999}',
    b'{"id": NaN}',
    b'{"id": 1, "id": 2}',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"id": "\\ud800"}',
    b'{"id": "\\u0000"}',
    b'{"a":' * 30 + b"1" + b"}" * 30,
    b"[" * 100_000,
    b'{"id": ' + b"9" * 5_000 + b"}",
    b"a=1&b=2",
    b'{"id": 1}\x00',
    b"{'id': 1}",
    b'{"id": 01}',
)


@dataclass(frozen=True, slots=True)
class Sound:
    """A request that is in order: where it goes, and what it says."""

    route: str
    method: str
    path: str
    body: Mapping[str, Any] | None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What is sent. `has_unknown` when a name is in it that nobody declared."""

    sound: Sound
    path: str
    body: bytes
    content_type: str
    has_unknown: bool

    def __str__(self) -> str:
        return f"{self.sound.method} {self.path} {self.content_type} {self.body[:2_000]!r}"


def made_up(seed: str, sounds: list[Sound]) -> Iterator[MadeUp]:
    """Requests without end, the same for the same seed; each of the sound ones in turn."""
    rng = random.Random(seed)  # noqa: S311 - tests that can be repeated
    while True:
        for sound in sounds:
            yield _made_up(rng, sound)


def _made_up(rng: random.Random, sound: Sound) -> MadeUp:
    path, query = sound.path, dict(sound.query)
    has_unknown = False
    if rng.random() < 0.15:
        path = _worse_path(rng, path)
    if rng.random() < (0.7 if query else 0.05):
        name = rng.choice([*query, "bonus"]) if query else "bonus"
        has_unknown = name not in sound.query
        query[name] = as_text(rng.choice(HOSTILE))
    body, content_type = b"", ""
    if sound.body is not None:
        content_type = "application/json"
        body, more_unknown = _body(rng, sound.body)
        has_unknown = has_unknown or more_unknown
        if rng.random() < 0.03:
            content_type = rng.choice(
                ["text/plain", "application/json; charset=utf-16", "application/xml", "multipart/form-data"]
            )
    elif sound.method == "DELETE" and rng.random() < 0.1:
        body, content_type = b"{}", "application/json"
    text = urlencode(query, errors="replace")
    return MadeUp(sound, f"{path}?{text}" if text else path, body, content_type, has_unknown)


def _body(rng: random.Random, sound: Mapping[str, Any]) -> tuple[bytes, bool]:
    if rng.random() < 0.05:
        return rng.choice(BAD_BODIES), False
    body = json.loads(json.dumps(sound, default=str))
    for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3])):
        _make_worse(rng, body)
    # Asked at the end: a later exchange may have taken the unknown name away again. Only names that hold a value are
    # sent twice; `json` itself writes each name once. Free objects, such as a connector's settings, know no names.
    return json.dumps(body).encode(), not body.keys() <= sound.keys()


def _make_worse(rng: random.Random, body: dict[str, Any]) -> None:
    """Exchange one part somewhere in the body."""
    place = _place_in(rng, body)
    what = rng.random()
    if what < 0.15:
        place[rng.choice(UNKNOWN_NAMES)] = rng.choice(HOSTILE)
    elif place:
        name = rng.choice(list(place))
        if what < 0.3:
            del place[name]
        elif what < 0.4:
            place[name] = [place[name]] * rng.choice([0, 1, 2, 60])
        elif what < 0.5 and isinstance(place[name], str):
            place[name] = mutate(rng, place[name])
        else:
            place[name] = rng.choice(HOSTILE)


def _place_in(rng: random.Random, body: dict[str, Any]) -> dict[str, Any]:
    """The body itself, or an object somewhere in it."""
    inner = [value for value in body.values() if isinstance(value, dict)]
    inner += [value[0] for value in body.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return _place_in(rng, rng.choice(inner)) if inner and rng.random() < 0.4 else body


def mutate(rng: random.Random, text: str) -> str:
    """The text with a character more, less or exchanged."""
    spot = rng.randrange(len(text) + 1)
    odd = rng.choice([" ", "\x00", "0", "9", "-", ".", "Z", "\u0660", "\n", "é", "\ud800", "\u200d", "A", ""])
    return text[:spot] + odd + text[spot + rng.randrange(2) :]


def _worse_path(rng: random.Random, path: str) -> str:
    """One of the parts of the path exchanged."""
    parts = path.split("/")
    spot = rng.randrange(4, len(parts)) if len(parts) > 4 else len(parts) - 1
    head, colon, verb = parts[spot].partition(":")
    worse = mutate(rng, head) if rng.random() < 0.5 else as_text(rng.choice(HOSTILE))
    parts[spot] = quote(worse.encode("utf-8", "replace"), safe="") + colon + verb
    return "/".join(parts)


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
