"""Before and after as a list of fields."""

from __future__ import annotations

from apps.backoffice.audit_diff import ABSENT, FieldChange, field_changes


def test_tells_changed_from_unchanged_and_added_from_removed() -> None:
    assert field_changes({"a": 1, "b": "x", "gone": True}, {"a": 2, "b": "x", "new": None}) == [
        FieldChange("a", "1", "2", is_changed=True),
        FieldChange("b", "x", "x", is_changed=False),
        FieldChange("new", ABSENT, ABSENT, is_changed=True),
        FieldChange("gone", "yes", ABSENT, is_changed=True),
    ]


def test_nested_fields_are_named_by_their_path_and_lists_are_read_out() -> None:
    changes = field_changes(
        {"plan": {"name": "s"}}, {"plan": {"name": "l"}, "roles": ["a", "b"], "empty": {}, "n": [1]}
    )
    assert [(change.field, change.before, change.after) for change in changes] == [
        ("plan.name", "s", "l"),
        ("roles", ABSENT, "a, b"),
        ("empty", ABSENT, "{}"),
        ("n", ABSENT, "[1]"),
    ]
