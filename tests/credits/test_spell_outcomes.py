"""Which outcomes of a policy are likely misspelt, and which word was meant (spec 05, Policy). Pure."""

from __future__ import annotations

import pytest

from apps.credits.rules.outcomes import USUAL_OUTCOMES, closest, near_misses


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("sucess", "succeeded"),
        ("success", "succeeded"),
        ("SUCCEEDED", "succeeded"),
        ("fail", "failed"),
        ("cancelled", "canceled"),
        ("timeout", "timed_out"),
        ("skip", "skipped"),
        ("partial", None),
        ("completed", None),
        ("", None),
    ],
)
def test_a_word_that_nearly_equals_a_usual_one_is_told_with_it(word: str, meant: str | None) -> None:
    assert closest(word, USUAL_OUTCOMES) == meant
    assert near_misses(["partial", word, *USUAL_OUTCOMES]) == ({word: meant} if meant else {})


def test_of_several_words_that_are_close_the_closest_was_meant_as_it_is_spelt() -> None:
    assert closest("fix_rum", ["fix_ruins", "Fix_Run", "fix"]) == "Fix_Run"
    assert closest("fix_rum", []) is None
