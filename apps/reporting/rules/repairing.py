"""What a repaired rollup changes in a report that was sent: the figures that rest on rollups, and no news (spec 07).

A report is frozen. Of what is read afresh for its day it takes the figures of that day that were added up from rollups;
of the books, an identity that holds again is corrected from its other side, and the faults that were mended go. All
else stays as it was sent, as what is true now is no news of that day. The platform's credits are added up from the
ledger's entries, so that only its books follow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from apps.reporting.rules.document import Document, Group, Line, Section
from apps.reporting.rules.presenting import changes_between

# The groups of an organization's credits that rest on rollups, and which of their lines do; None: all, or no group.
_RESTING: dict[str, frozenset[str] | None] = {"consumed": None, "late": None, "standing": frozenset({"balance"})}


def repaired(sent: Document, afresh: Document, mended: Collection[str]) -> Document | None:
    """The report as it should have been sent; None where it told no wrong figure.

    `afresh` is what is read for the same day now, `mended` how the lines of mended faults begin.
    """
    read = {section.key: section for section in afresh.sections}
    sections = []
    for section in sent.sections:
        now = read.get(section.key, section)
        if section.key == "credits" and not sent.scope.is_platform:
            section = replace(section, groups=tuple(_credits(section, now)))  # noqa: PLW2901 - the same, repaired
        elif section.key == "books":
            section = replace(section, groups=tuple(_books(section, now, tuple(mended))))  # noqa: PLW2901 - as above
        sections.append(section)
    found = replace(sent, made_at=afresh.made_at, sections=tuple(sections))
    return found if changes_between(sent, found) else None


def _credits(sent: Section, afresh: Section) -> Iterator[Group]:
    """In the order of what is read afresh; a group that it does not know any more stays at the end."""
    before = {group.key: group for group in sent.groups}
    read = {group.key: group for group in afresh.groups}
    for key in [*read, *(key for key in before if key not in read)]:
        lines = _RESTING.get(key, frozenset())
        if lines is None:
            if key in read:
                yield read[key]
        elif key in before:
            yield _with_lines(before[key], [line for line in read.get(key, before[key]).lines if line.key in lines])


def _books(sent: Section, afresh: Section, mended: tuple[str, ...]) -> Iterator[Group]:
    holding = {line.key for group in afresh.groups for line in group.lines if not line.is_alarm}
    for group in sent.groups:
        if group.key == "identities":
            yield _with_lines(group, [_in_balance(line) for line in group.lines if line.key in holding])
        else:
            yield replace(group, lines=tuple(line for line in group.lines if not str(line.value).startswith(mended)))


def _with_lines(sent: Group, lines: Collection[Line]) -> Group:
    by_key = {line.key: line for line in lines}
    return replace(sent, lines=tuple(by_key.get(line.key, line) for line in sent.lines))


def _in_balance(line: Line) -> Line:
    """The identity with the side of the ledger on both sides."""
    other, difference = line.compared
    return replace(line, value=other.value, is_alarm=False, compared=(other, replace(difference, value=0)))
