"""Identifiers and units as people read them."""

from __future__ import annotations

import pytest

from apps.core.texts import name_operation, name_units


@pytest.mark.parametrize(
    ("unit", "several"),
    [
        ("line", "lines"),
        ("query", "queries"),
        ("day", "days"),
        ("kWh", "kWh"),
        ("GB", "GB"),
        ("tokens", "tokens"),
        ("m\u00b2", "m\u00b2"),
        ("", ""),
    ],
)
def test_units_behind_a_number(unit: str, several: str) -> None:
    assert name_units(unit, is_one=False) == several
    assert name_units(unit, is_one=True) == unit


@pytest.mark.parametrize(("operation", "name"), [("fix_run", "fix run"), ("scan", "scan"), ("_", "_"), ("a.b", "a b")])
def test_operations_lose_their_underscores(operation: str, name: str) -> None:
    assert name_operation(operation) == name
