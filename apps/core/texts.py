"""Which characters text may hold: what PostgreSQL can't store, and what nobody can see, said once. Pure.

The same character classes stand in the OpenAPI document, so they are written for regular expressions of Python and of
JSON Schema (ECMA 262) alike, and name no property that differs between versions of Unicode.
"""

from __future__ import annotations

import re

# Not storable: NUL, and half of a surrogate pair.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROLS = "\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f"
_LINE_BREAKS = "\\u0009\\u000a"
# Invisible, turning the direction of what follows, private, or no character: but not U+200C and U+200D, which join
# letters in Persian, in Hindi and in emoji.
_UNSEEN = (
    "\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ue000-\\uf8ff"
    "\\ufeff\\ufff9-\\ufffb\\ufffe\\uffff"
)
# Tags, invisible too. Not for the document: many of its readers compile patterns without ECMA's Unicode flag, where a
# range beyond 16 bits is an error, and they could use nothing of the document.
_TAGS = "\U000e0000-\U000e0fff"
_BLANKS = " \\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000"


def refused(*, multiline: bool) -> str:
    """The inside of a character class: what one line of text, or several, may not hold, of 16 bits each."""
    return _CONTROLS + ("" if multiline else _LINE_BREAKS) + _UNSEEN


def text_pattern(*, multiline: bool, may_be_blank: bool) -> str:
    """What text must match from end to end; unless it may be blank, one of its characters is not."""
    no, blanks = refused(multiline=multiline), _BLANKS + (_LINE_BREAKS if multiline else "")
    return f"[^{no}]*" if may_be_blank else f"[^{no}]*[^{no}{blanks}][^{no}]*"


# Half a surrogate pair can't even be written in JSON's own encoding, so that the document need not speak of it.
LINE_REFUSED = re.compile(f"[{refused(multiline=False)}{_TAGS}\ud800-\udfff]")
LINES_REFUSED = re.compile(f"[{refused(multiline=True)}{_TAGS}\ud800-\udfff]")

_HIDDEN = re.compile(f"(?![\\r])[{_CONTROLS}{_UNSEEN}{_TAGS}\ud800-\udfff]")


def make_visible(text: str) -> str:
    """The text with each character that can't be seen, or that turns the direction of what follows, spelled out."""
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text.replace("\r\n", "\n"))


def name_operation(operation: str) -> str:
    """The name of an operation as people read it: "fix run" for fix_run."""
    return operation.replace("_", " ").replace(".", " ").strip() or operation


def name_units(unit: str, *, is_one: bool) -> str:
    """The unit behind a number: "line", "lines"; what is no English noun, such as kWh, stays as it is."""
    if is_one or not unit.isascii() or not unit.isalpha() or not unit.islower() or unit.endswith("s"):
        return unit
    return f"{unit[:-1]}ies" if unit.endswith("y") and unit[-2:-1] not in set("aeiou") else f"{unit}s"
