"""Small faults in SQL: a condition that is missing, a comparison that is off by one, a lock that is not taken."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORDS = {
    " < ": " <= ",
    " <= ": " < ",
    " > ": " >= ",
    " >= ": " > ",
    " <> ": " = ",
    " = ": " <> ",
    " + ": " - ",
    " - ": " + ",
    "LEAST(": "GREATEST(",
    "GREATEST(": "LEAST(",
    " IS NULL": " IS NOT NULL",
    " IS NOT NULL": " IS NULL",
    " IS DISTINCT FROM ": " IS NOT DISTINCT FROM ",
    " IS NOT DISTINCT FROM ": " IS DISTINCT FROM ",
    " FOR NO KEY UPDATE": "",
    "IF NOT ": "IF ",
    " THEN 1 ELSE 0 ": " THEN 0 ELSE 1 ",
}
_WORD = re.compile("|".join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True)))
# What an operand of a condition begins after, and what stands there when it is dropped.
_CONDITION = re.compile(r"\b(?P<word>WHERE|AND|OR(?! REPLACE)|ON(?! CONFLICT)|WHEN|IF(?! EXISTS))\b(?!\s*\(?\s*SELECT)")
_DROPPED = {"OR": "false", "WHEN": "false", "IF": "false"}
_END = re.compile(
    r"\b(AND|OR|THEN|GROUP|ORDER|LIMIT|LEFT|JOIN|WHERE|FOR|UNION|WINDOW|RETURNING|ELSE|END|LOOP|AS)\b|[;,]"
)
_COMMENT = re.compile(r"--[^\n]*")


def faults(text: str) -> Iterator[tuple[int, str, str]]:
    """Each fault of the file: its line, what changed, and the whole text with it."""
    # Comments become blanks, so that every place stays where it is.
    code = _COMMENT.sub(lambda comment: " " * len(comment[0]), text)
    for word in _WORD.finditer(code):
        yield _fault(text, word.start(), word.end(), _WORDS[word[0]])
    for begin in _CONDITION.finditer(code):
        end = _end_of_operand(code, begin.end())
        operand = code[begin.end() : end].strip()
        if operand and operand not in {"true", "false"}:
            yield _fault(text, begin.end(), end, f" {_DROPPED.get(begin['word'], 'true')} ")


def _fault(text: str, start: int, end: int, wrong: str) -> tuple[int, str, str]:
    left, right = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    before = " ".join(text[left:right].split())
    after = " ".join((text[left:start] + wrong + text[end:right]).split())
    return text.count("\n", 0, start) + 1, f"{before} -> {after}", text[:start] + wrong + text[end:]


def _end_of_operand(code: str, start: int) -> int:
    """Where the operand ends that begins here: at the next word of the same depth that can't belong to it."""
    depth, place = 0, start
    while place < len(code):
        if code[place] in "([":
            depth += 1
        elif code[place] in ")]":
            if depth == 0:
                return place
            depth -= 1
        elif depth == 0 and (end := _END.match(code, place)) and (end[0] in ";," or not code[place - 1].isalnum()):
            return place
        place += 1
    return place
