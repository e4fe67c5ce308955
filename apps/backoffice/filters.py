"""List filters: by text, choice, flag or days. Each becomes an exact match or a range, which an index can serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ListFilter, ModelAdmin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apps.backoffice.search.matches import organizations_named
from apps.core import clock
from apps.core.emails import email_to_find
from apps.core.moments import MomentError, read_day, read_iso_moment
from apps.tenants.models import Organization

Params = dict[str, Any]
HALF_AN_HOUR = timedelta(minutes=30)
MOST_DAYS = 3650
# The parameter that names one organization.
ORGANIZATION_VAR = "organization"


def of_customers(column: str) -> Q:
    """Not of an organization that a cutover check has made. `column` holds the organization's id, or nothing.

    The few are read once and looked up for each row, so that the list is read in its own order and no further than its
    page; a question for each row would cost a buffer for each one that a later page skips.
    """
    return ~Q(**{f"{column}__in": Organization.objects.filter(is_synthetic=True).values("pk")})


class StaffFilter(ListFilter):
    """Base of all list filters. A value that can't be parsed matches nothing; Django's own filters would ignore it."""

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
        """The value in the URL, or an empty string."""
        return str(self.used_parameters[name or self.parameters[0]])

    def options(self) -> Sequence[tuple[str, str]]:
        """Options of a select; empty for text input."""
        return ()

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for name in self.parameters:
            yield {"name": name, "value": self.value(name), "label": self.label_of(name), "options": self.options()}

    def label_of(self, name: str) -> str:
        """The label of one input, for filters with several."""
        return ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not any(self.used_parameters.values()):
            return queryset
        condition = self.condition()
        return queryset.none() if condition is None else queryset.filter(condition)

    def condition(self) -> Q | None:
        """The condition for the value, or None when it can't be parsed."""
        raise NotImplementedError


def choice_filter(
    name: str, heading: str, choices: Callable[[], Sequence[tuple[str, str]]], *, field: str = ""
) -> type[StaffFilter]:
    """A filter by choice. `choices` is called for each request."""

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
    class TextFilter(StaffFilter):
        title = heading
        parameters = (name,)
        placeholder = hint

        def condition(self) -> Q | None:
            return Q(**{field or name: self.value()})

    return TextFilter


def organization_filter(field: str) -> type[StaffFilter]:
    """A filter by the id, slug or name of an organization. `field` holds the id and need not be a foreign key."""

    class OrganizationFilter(StaffFilter):
        title = "organization"
        parameters = (ORGANIZATION_VAR,)
        placeholder = "Name, slug or id"

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            if not self.value():
                return queryset
            named = organizations_named(self.value())
            if len(named) != 1:
                messages.warning(request, _not_one(self.value(), named))
                return queryset.none()
            return queryset.filter(**{field: named[0][0]})

    return OrganizationFilter


def _not_one(text: str, named: Sequence[tuple[UUID, str, str]]) -> str:
    if not named:
        return f"There is no organization called “{text}”. Enter its id, slug, or words of its name."
    slugs = ", ".join(f"{name} ({slug})" for _, name, slug in named)
    return f"Several organizations are called “{text}”: {slugs}. Enter the slug of one."


class WorkspaceFilter(StaffFilter):
    title = "workspace"
    parameters = ("workspace",)
    placeholder = "Id or slug"

    def condition(self) -> Q | None:
        try:
            return Q(workspace_id=UUID(self.value()))
        except ValueError:
            return Q(workspace__slug=self.value().lower())


def person_filter(field: str) -> type[StaffFilter]:
    """A filter by the id or e-mail address of a person. `field` is the name of the foreign key."""

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
    """A filter by a range of days in UTC; both ends are included."""

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


def within_days_filter(name: str, heading: str, field: str, *, further: Q | None = None) -> type[StaffFilter]:
    """A filter by a moment that comes within so many days from now, or lies in the past."""

    class WithinDaysFilter(StaffFilter):
        title = heading
        parameters = (name,)
        input_type = "number"
        placeholder = "7"

        def label_of(self, name: str) -> str:
            return "within days"

        def condition(self) -> Q | None:
            text = self.value()
            if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_DAYS)) and int(text) <= MOST_DAYS):
                return None
            return Q(**{f"{field}__lte": clock.now() + timedelta(days=int(text))}) & (further or Q())

    return WithinDaysFilter


def around_filter(field: str, heading: str) -> type[StaffFilter]:
    """A filter by the half hour before and after a moment, in UTC: "yesterday at about three"."""

    class AroundFilter(StaffFilter):
        title = heading
        parameters = (f"{field}_around",)
        input_type = "datetime-local"

        def label_of(self, name: str) -> str:
            return "half an hour around, in UTC"

        def condition(self) -> Q | None:
            try:
                middle = read_iso_moment(self.value())
            except MomentError:
                return None
            return Q(**{f"{field}__gte": middle - HALF_AN_HOUR, f"{field}__lte": middle + HALF_AN_HOUR})

    return AroundFilter


def _day(text: str) -> date | None:
    return read_day(text) if text else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)
