"""How a person is named in texts, and those texts without it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from apps.core.audit.chain import ERASED

_BLANKS = r"\s+"


@dataclass(frozen=True)
class Mentions:
    """The addresses and names of one person, those of former years too.

    An address counts wherever it stands as a whole. A name of several words counts in every text; a single word is
    also the name of others, and counts only where the record is about this person (`is_named`).
    """

    emails: frozenset[str]
    names: frozenset[str]
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        addresses = [rf"(?<![\w.+%-]){re.escape(email)}(?![\w%+-]|\.\w)" for email in _longest_first(self.emails)]
        names = [
            rf"(?<!\w){_BLANKS.join(re.escape(word) for word in name.split())}(?!\w)"
            for name in _longest_first(self.names)
            if len(name.split()) > 1
        ]
        object.__setattr__(self, "_pattern", re.compile("|".join([*addresses, *names]) or r"(?!)", re.IGNORECASE))

    @property
    def sought(self) -> list[str]:
        """What a row must contain to be read, in any case of letters; also as JSON writes it."""
        texts = {*self.emails, *(name for name in self.names if len(name.split()) > 1)}
        # The last word of a name: between the others any white space may stand.
        words = {text.split()[-1] for text in texts}
        return sorted(words | {json.dumps(word, ensure_ascii=False)[1:-1] for word in words})

    def are_in(self, text: str) -> bool:
        return self._pattern.search(text) is not None

    def is_named(self, text: str) -> bool:
        """Whether the text is one of the names or mentions the person; for records that are about this person."""
        return text.casefold() in {name.casefold() for name in self.names} or self.are_in(text)

    def without(self, text: str) -> str:
        """The text with a mark in the place of each mention."""
        return self._pattern.sub(ERASED, text)


def redact(value: Any, without: Callable[[str], str]) -> Any:
    """A JSON value with each text, and each key, as `without` leaves it."""
    match value:
        case str():
            return without(value)
        case list():
            return [redact(inner, without) for inner in value]
        case dict():
            return {without(key): redact(inner, without) for key, inner in value.items()}
    return value


def _longest_first(texts: Collection[str]) -> list[str]:
    return sorted(texts, key=lambda text: (-len(text), text))
