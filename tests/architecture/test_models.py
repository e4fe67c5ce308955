"""The database holds the enumerations, and migrations are named by meaning (spec 10, Style)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models import CheckConstraint, Q

from tests.architecture.sources import PROJECT

OURS = [model for model in apps.get_models() if model.__module__.startswith("apps.")]
MIGRATIONS = sorted(path for path in (PROJECT / "apps").glob("*/migrations/*.py") if path.name != "__init__.py")
MADE_UP_NAME = re.compile(r"\d{4}_(auto_\d+|initial|alter_.*_and_more|.*_and_more)")


def allowed_values(model: type[models.Model], field: str) -> set[str] | None:
    """The values that the table's check constraints leave for the column; None where there is no such constraint."""
    for constraint in model._meta.constraints:
        condition = getattr(constraint, "condition", None)
        if isinstance(constraint, CheckConstraint) and isinstance(condition, Q):
            children: dict[str, Any] = dict(child for child in condition.children if isinstance(child, tuple))
            values = children.get(f"{field}__in")
            if values is not None:
                return set(values)
    return None


CHOICE_FIELDS = [
    (model, field)
    for model in OURS
    for field in model._meta.local_fields
    if isinstance(field, models.CharField | models.TextField) and field.choices
]


@pytest.mark.parametrize(("model", "field"), CHOICE_FIELDS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_every_enumeration_has_its_check_constraint(
    model: type[models.Model], field: models.CharField[str, str]
) -> None:
    declared = {str(value) for value, _ in field.flatchoices}
    allowed = allowed_values(model, field.name)
    assert allowed is not None, f"{model.__name__}.{field.name} needs apps.core.constraints.one_of"
    assert allowed - {""} == declared - {""}


def test_there_are_enumerations_to_check() -> None:
    assert len(CHOICE_FIELDS) >= 8


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: f"{path.parts[-3]}.{path.stem}")
def test_migrations_are_named_by_meaning(path: Path) -> None:
    assert not MADE_UP_NAME.fullmatch(path.stem), f"name {path.stem} with makemigrations --name"


@pytest.mark.parametrize("stem", ["0002_auto_20260401", "0001_initial", "0003_alter_x_and_more"])
def test_the_check_finds_a_made_up_name(stem: str) -> None:
    assert MADE_UP_NAME.fullmatch(stem)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_no_amount_is_a_float_or_a_bare_numeric(model: type[models.Model]) -> None:
    kinds = {type(field) for field in model._meta.local_fields}
    assert not kinds & {models.FloatField, models.DecimalField}
