"""What was typed into the search: words, an id of a provider, of a run or request, or a key of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from apps.core.emails import email_to_find

# Below, a word would find the beginnings of half the table.
SHORTEST_BEGINNING = 3
MOST_WORDS = 8
# As `apps.core.constraints.Words` parts them.
_WORD = re.compile(r"[^\W_]+")
_ADDRESS = re.compile(r"https?://\S*?/(?P<last>[A-Za-z0-9_-]+)/?(?:[?#]\S*)?$")


@dataclass(frozen=True, slots=True)
class Term:
    """`text` is what to look for exactly; `key` is set where it is a UUID; `words` is a query for `to_tsquery`."""

    text: str
    key: UUID | None = None
    words: str = ""

    @property
    def is_one_piece(self) -> bool:
        """Whether it may be an id at all."""
        return not re.search(r"\s", self.text)

    @property
    def as_email(self) -> str:
        return email_to_find(self.text)


def read_term(typed: str) -> Term:
    """Read what was typed. Of a pasted address of Stripe or of ours the last part of its path counts."""
    text = typed.strip().replace("\x00", "")
    pasted = _ADDRESS.fullmatch(text)
    if pasted is not None:
        text = pasted["last"]
    return Term(text, _key_in(text), _query(text))


def _key_in(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _query(text: str) -> str:
    """Every word must be there, a longer one at least with its beginning."""
    words = _WORD.findall(text.lower())[:MOST_WORDS]
    return " & ".join(f"'{word}':*" if len(word) >= SHORTEST_BEGINNING else f"'{word}'" for word in words)
