"""Small faults in SQL: a condition that is missing, a comparison that is off by one, a lock that is not taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
    r"\b(AND|OR|THEN|GROUP|ORDER|LIMIT|LEFT|JOIN|WHERE|FOR|UNION|WINDOW|RETURNING|ELSE|END|LOOP|AS)\b|[;,]|\$\$"
)
_COMMENT = re.compile(r"--[^\n]*")
_STATEMENT = re.compile(r"^CREATE (?:OR REPLACE )?(?P<kind>[A-Z]+) (?P<name>\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Standing:
    """A function that the product calls: its name, where it stands, after how many lines, and the files from which it
    is called, itself or by other functions.
    """

    function: str
    file: str
    before: int
    statement: str
    callers: tuple[str, ...]


def standing(files: Mapping[str, str], queries: Mapping[str, str]) -> Iterator[Standing]:
    """The functions of the SQL files that the product calls, whose queries are given by the file that sends them.

    A later file replaces a function of its name, and what only servers of an earlier release call is not tried: a fault
    in either changes nothing that runs today. `files` come in the order in which migrations apply them.
    """
    last = _last_definitions(files)
    calls = {name: _called(_code(text), last) - {name} for name, (_, _, text) in last.items()}
    # A trigger calls its function by itself, whatever is sent.
    triggers = {name for name, (_, _, text) in last.items() if "RETURNS trigger" in text}
    callers: dict[str, set[str]] = {name: set() for name in last}
    for file, text in queries.items():
        waiting = _called(text, last)
        if waiting:
            waiting |= triggers
        while waiting:
            name = waiting.pop()
            if file not in callers[name]:
                callers[name].add(file)
                waiting |= calls[name]
    for name, (file, before, statement) in last.items():
        if callers[name]:
            yield Standing(name, file, before, statement, tuple(sorted(callers[name])))


def _last_definitions(files: Mapping[str, str]) -> dict[str, tuple[str, int, str]]:
    """Of each function its last file, the number of lines before it, and its statement."""
    last: dict[str, tuple[str, int, str]] = {}
    for file, text in files.items():
        begins = [found.start() for found in _STATEMENT.finditer(text)]
        for found, end in zip(_STATEMENT.finditer(text), [*begins[1:], len(text)], strict=True):
            if found["kind"] == "FUNCTION":
                last[found["name"]] = (file, text.count("\n", 0, found.start()), text[found.start() : end])
    return last


def _called(code: str, known: Mapping[str, object]) -> set[str]:
    return set(re.findall(r"\w+(?=\()", code)) & known.keys()


def faults(text: str) -> Iterator[tuple[int, str, str]]:
    """Each fault of the text: its line, what changed, and the whole text with it."""
    code = _code(text)
    for word in _WORD.finditer(code):
        yield _fault(text, word.start(), word.end(), _WORDS[word[0]])
    for begin in _CONDITION.finditer(code):
        end = _end_of_operand(code, begin.end())
        operand = code[begin.end() : end].strip()
        if operand and operand not in {"true", "false"}:
            yield _fault(text, begin.end(), end, f" {_DROPPED.get(begin['word'], 'true')} ")


def _code(text: str) -> str:
    # Comments become blanks, so that every place stays where it is.
    return _COMMENT.sub(lambda comment: " " * len(comment[0]), text)


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
