"""How the entries of an account are cut into pieces, each of which is computed whole (spec 07, Rollups)."""

from __future__ import annotations

from dataclasses import dataclass

# So many entries are added up in some milliseconds, a busy account needs few pieces a day, and even the largest amounts
# and quantities (10^15) add up to a number of 64 bits.
MOST_ENTRIES = 8_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive entries of an account, by their numbers."""

    first: int
    last: int


def cut_pieces(*, piece_first: int, rolled: int, last: int, is_new_day: bool, most: int = MOST_ENTRIES) -> list[Piece]:
    """The pieces to compute so that the account is rolled up to `last`: the open one again, and new ones.

    `rolled` is the last entry that is rolled up; the last piece begins there or before, or is the next one's. A piece
    that is full, or of an earlier day, stays as it is.
    """
    is_open = not is_new_day and rolled - piece_first + 1 < most
    first = piece_first if is_open else rolled + 1
    if rolled >= last:
        return []
    return [Piece(start, min(start + most - 1, last)) for start in range(first, last + 1, most)]
