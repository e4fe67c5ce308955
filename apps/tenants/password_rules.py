"""Password validators beside Django's own: no sequences, and nothing of where we are (ASVS 5, 6.2).

What is left of a password when sequences, repetitions, our own words, and the parts of the person's address and name
are taken away must be long enough to be hard to guess. Django's `UserAttributeSimilarityValidator` alone would take
`ann.lee` from `ann.lee@a-long-company-name.example`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError

# Rows of keyboards, and what people count along. A run of four in a row counts as a sequence, in either direction.
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "!@#$%^&*()",
)
_RUN = 4
_DIRECTIONS = tuple(row for forward in _ROWS for row in (forward, forward[::-1]))
_REPEATED = re.compile(r"(.{1,8}?)\1{2,}", re.DOTALL)
# How people dress a word up.
_LEET = str.maketrans("013457@$!", "oleastasi")


def without_patterns(text: str) -> str:
    """The text with each run of a row, and each part that comes three times or more, cut down to one character."""
    text = _REPEATED.sub(lambda match: match[1][:1], text)
    kept: list[str] = []
    start = 0
    while start < len(text):
        kept.append(text[start])
        length = _run_at(text, start)
        start += length if length >= _RUN else 1
    return "".join(kept)


def _run_at(text: str, start: int) -> int:
    """The length of the sequence that begins at `start`."""
    length = 1
    while start + length < len(text) and any(text[start : start + length + 1] in row for row in _DIRECTIONS):
        length += 1
    return length


class PatternValidator:
    """Refuses a password that is little more than sequences, repetitions and words that anybody would try here."""

    def __init__(self, min_rest: int = 8, words: Sequence[str] = ()) -> None:
        self._min_rest = min_rest
        self._words = tuple(word.lower() for word in words)

    def validate(self, password: str, user: Any = None) -> None:
        """Raise `ValidationError` when too little is left."""
        text = password.lower()
        words = sorted({*self._words, *_words_of(user)}, key=len, reverse=True)
        if any(_rest(variant, words) < self._min_rest for variant in (text, text.translate(_LEET))):
            raise ValidationError(
                "This password is easy to guess: it consists mostly of a sequence such as 12345 or qwerty, of "
                "repetitions, or of words such as the product's name or your own. Use several words that have nothing "
                "to do with each other.",
                code="password_has_pattern",
            )

    def get_help_text(self) -> str:
        return "Your password can't consist mostly of sequences, repetitions, the product's name or your own."


def _rest(text: str, words: Sequence[str]) -> int:
    # The longest come first: "countinghouse" before "counting".
    for word in words:
        text = text.replace(word, "")
    return len(without_patterns(text))


def _words_of(user: Any) -> set[str]:
    """The parts of the person's e-mail address and name that are long enough to be words."""
    texts = (getattr(user, "email", "") or "", getattr(user, "name", "") or "")
    return {word for text in texts for word in re.split(r"[\W_]+", text.lower()) if len(word) >= _RUN}
