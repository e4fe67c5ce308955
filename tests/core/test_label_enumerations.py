"""`TextEnum` answers as Django's `TextChoices` does, which columns, forms and stored rows rely on."""

from __future__ import annotations

import copy
import pickle

import msgspec
import pytest
from django.db.models import TextChoices

from apps.core.enums import TextEnum


class Ours(TextEnum):
    """Two members, one without a label of its own."""

    PAST_DUE = "past_due", "Late"
    SIGNED_UP = "Signed up today"


class Theirs(TextChoices):
    """The same as Django has it."""

    PAST_DUE = "past_due", "Late"
    SIGNED_UP = "Signed up today"


def test_values_labels_and_choices_are_those_of_django() -> None:
    assert Ours.choices == Theirs.choices
    assert Ours.values == Theirs.values
    assert Ours.labels == Theirs.labels
    assert [each.label for each in Ours] == ["Late", "Signed Up"]


def test_a_member_is_its_text() -> None:
    member = Ours.PAST_DUE
    assert (member, str(member), f"{member}", hash(member)) == ("past_due", "past_due", "past_due", hash("past_due"))
    assert Ours("past_due") is member
    assert type(member.value) is str
    with pytest.raises(ValueError, match="late"):
        Ours("late")


def test_a_member_stays_itself_through_copies_and_the_wire() -> None:
    assert pickle.loads(pickle.dumps(Ours.PAST_DUE)) is Ours.PAST_DUE  # noqa: S301
    assert copy.deepcopy(Ours.PAST_DUE) is Ours.PAST_DUE
    assert msgspec.convert("past_due", Ours) is Ours.PAST_DUE
    assert msgspec.json.encode(Ours.PAST_DUE) == b'"past_due"'
