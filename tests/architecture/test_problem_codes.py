"""Every problem code is provoked by a test: `tests.provocations` notes what the tests provoke (spec 09, HTTP).

The session of the whole suite fails where a code is missing; here stands that the two halves see what they must.
"""

from __future__ import annotations

import ast
import sys

import pytest

from apps.core.errors import ConflictError
from tests.architecture.problem_codes import ANYWHERE, WrittenCode, codes_of_product, written_codes
from tests.architecture.sources import Source
from tests.provocations import note, unprovoked

MADE_UP = """
class TakenError(ConflictError):
    code = "own_code"

def refused(sentence, code, title):
    return ConflictError(sentence, code=code, title=title)

def verb():
    raise ConflictError("x", code="by_name")
    raise refused("x", "by_place", "y")
    raise CommandError("x", code="of_a_command")
    errors = [FieldError("field", code="of_a_field")]
"""


def test_codes_are_found_wherever_they_are_written() -> None:
    source = Source("apps/made/up.py", MADE_UP, ast.parse(MADE_UP))
    assert written_codes([source]) == {
        WrittenCode("own_code", ANYWHERE),
        WrittenCode("by_name", "apps/made/up.py"),
        WrittenCode("by_place", "apps/made/up.py"),
        WrittenCode("of_a_field", "apps/made/up.py"),
    }


@pytest.mark.parametrize(
    "code",
    [
        WrittenCode("provider_customer_taken", "apps/payments/processing.py"),
        WrittenCode("provider_customer_taken", "apps/subscriptions/services/payment_configs.py"),
        WrittenCode("hold_expired", "apps/credits/refusals.py"),
        WrittenCode("credential_refused", "apps/connectors/services/refusals.py"),
        WrittenCode("csrf_failed", "apps/core/pages.py"),
        WrittenCode("not_a_member", ANYWHERE),
        WrittenCode("state_conflict", ANYWHERE),
        WrittenCode("not_acceptable", ANYWHERE),
    ],
)
def test_the_codes_of_each_kind_are_among_them(code: WrittenCode) -> None:
    assert code in codes_of_product()


def test_one_module_does_not_stand_in_for_another() -> None:
    here, there = WrittenCode("taken", "apps/a.py"), WrittenCode("taken", "apps/b.py")
    assert unprovoked({here, there}, {here}) == ["taken (apps/b.py)"]


def test_an_error_that_a_test_makes_itself_provokes_nothing() -> None:
    provoked: set[WrittenCode] = set()
    ConflictError("made here", code="made_up")
    note(provoked, {"made_up"}, sys._getframe())
    assert provoked == set()
