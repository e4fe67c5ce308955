"""How a run may end, by its policy, and which spellings are likely mistakes. Pure (spec 05, Policy)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

BILLABLE_OUTCOME = "succeeded"
USUAL_OTHER_OUTCOMES = ("failed", "canceled", "timed_out", "skipped")
# `sucess` and `success` are this close to `succeeded`; `partial` and `completed` to nothing usual.
_CLOSE = 0.52
USUAL_OUTCOMES = (BILLABLE_OUTCOME, *USUAL_OTHER_OUTCOMES)


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was likely meant, whatever its case; None where none is close."""
    by_folded = {each.casefold(): each for each in known}
    close = get_close_matches(word.casefold(), by_folded, cutoff=_CLOSE)
    return by_folded[close[0]] if close else None


def near_misses(outcomes: Iterable[str]) -> dict[str, str]:
    """Of a policy's outcomes, those that nearly equal a usual one, each with the one it is close to."""
    odd = (outcome for outcome in outcomes if outcome not in USUAL_OUTCOMES)
    found = {outcome: closest(outcome, USUAL_OUTCOMES) for outcome in odd}
    return {outcome: usual for outcome, usual in found.items() if usual is not None}
