"""Filters of the lists: by a word, by a choice, by days. Each asks the database for an exact match or a range."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.admin import ListFilter, ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.core.emails import email_to_find
from apps.core.moments import MomentError, read_day
from apps.tenants.models import Organization

Params = dict[str, Any]


class StaffFilter(ListFilter):
    """Takes its own parameters from the address. What can't be understood finds nothing, and never everything."""

    parameters: ClassVar[tuple[str, ...]]
    input_type: ClassVar[str] = "text"
    placeholder: ClassVar[str] = ""
    template = "backoffice/filter.html"

    def __init__(self, request: HttpRequest, params: Params, model: Any, model_admin: ModelAdmin[Any]) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.parameters:
            values = params.pop(name, [""])
            value = values[-1] if isinstance(values, list) else values
            self.used_parameters[name] = str(value).strip()

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def has_output(self) -> bool:
        return True

    def value(self, name: str = "") -> str:
        """What was asked for; empty when nothing was."""
        return str(self.used_parameters[name or self.parameters[0]])

    def options(self) -> Sequence[tuple[str, str]]:
        """The choices of a filter by choice."""
        return ()

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for name in self.parameters:
            yield {"name": name, "value": self.value(name), "label": self.label_of(name), "options": self.options()}

    def label_of(self, name: str) -> str:
        """What a filter of several inputs calls each."""
        return ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not any(self.used_parameters.values()):
            return queryset
        condition = self.condition()
        return queryset.none() if condition is None else queryset.filter(condition)

    def condition(self) -> Q | None:
        """What a record must hold; None when what was asked for can't be understood."""
        raise NotImplementedError


def choice_filter(
    name: str, heading: str, choices: Callable[[], Sequence[tuple[str, str]]], *, field: str = ""
) -> type[StaffFilter]:
    """A filter by one of the choices, which are asked for when the page is made."""

    class ChoiceFilter(StaffFilter):
        title = heading
        parameters = (name,)
        input_type = "select"

        def options(self) -> Sequence[tuple[str, str]]:
            return choices()

        def condition(self) -> Q | None:
            return Q(**{field or name: self.value()}) if self.value() in dict(choices()) else None

    return ChoiceFilter


def flag_filter(name: str, heading: str, condition_of_yes: Q) -> type[StaffFilter]:
    """A filter by yes or no."""

    class FlagFilter(StaffFilter):
        title = heading
        parameters = (name,)
        input_type = "select"

        def options(self) -> Sequence[tuple[str, str]]:
            return (("yes", "Yes"), ("no", "No"))

        def condition(self) -> Q | None:
            return {"yes": condition_of_yes, "no": ~condition_of_yes}.get(self.value())

    return FlagFilter


def text_filter(name: str, heading: str, *, field: str = "", hint: str = "") -> type[StaffFilter]:
    """A filter by the exact text of a field."""

    class TextFilter(StaffFilter):
        title = heading
        parameters = (name,)
        placeholder = hint

        def condition(self) -> Q | None:
            return Q(**{field or name: self.value()})

    return TextFilter


def organization_filter(field: str) -> type[StaffFilter]:
    """A filter by organization, given by id or slug. `field` holds the id, and need not be a foreign key."""

    class OrganizationFilter(StaffFilter):
        title = "organization"
        parameters = ("organization",)
        placeholder = "Id or slug"

        def condition(self) -> Q | None:
            try:
                return Q(**{field: UUID(self.value())})
            except ValueError:
                found = Organization.objects.filter(slug=self.value().lower()).values_list("pk", flat=True).first()
                return Q(**{field: found}) if found is not None else None

    return OrganizationFilter


class WorkspaceFilter(StaffFilter):
    """By workspace, given by id or slug."""

    title = "workspace"
    parameters = ("workspace",)
    placeholder = "Id or slug"

    def condition(self) -> Q | None:
        try:
            return Q(workspace_id=UUID(self.value()))
        except ValueError:
            return Q(workspace__slug=self.value().lower())


def person_filter(field: str) -> type[StaffFilter]:
    """A filter by person, given by id or e-mail address. `field` is the foreign key's name."""

    class PersonFilter(StaffFilter):
        title = "person"
        parameters = ("user",)
        placeholder = "Id or e-mail address"

        def condition(self) -> Q | None:
            try:
                return Q(**{f"{field}_id": UUID(self.value())})
            except ValueError:
                return Q(**{f"{field}__email": email_to_find(self.value())})

    return PersonFilter


def days_filter(field: str, heading: str) -> type[StaffFilter]:
    """A filter by a range of days in UTC, both included."""

    class DaysFilter(StaffFilter):
        title = heading
        parameters = (f"{field}_from", f"{field}_until")
        input_type = "date"

        def label_of(self, name: str) -> str:
            return "from" if name == self.parameters[0] else "until"

        def condition(self) -> Q | None:
            try:
                first, last = (_day(self.value(name)) for name in self.parameters)
                condition = Q()
                if first is not None:
                    condition &= Q(**{f"{field}__gte": _midnight(first)})
                if last is not None:
                    condition &= Q(**{f"{field}__lt": _midnight(last) + timedelta(days=1)})
            except MomentError:
                return None
            return condition

    return DaysFilter


def _day(text: str) -> date | None:
    return read_day(text) if text else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
