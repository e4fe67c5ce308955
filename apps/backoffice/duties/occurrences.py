"""A task, and which rows are one: those that nobody has snoozed or dismissed, by the same query that finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import CharField, Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from apps.backoffice.enums import TaskKind, TaskState
from apps.backoffice.models import TaskDecision
from apps.backoffice.paginator import COUNT_LIMIT
from apps.core import clock

OF_EACH = 25
Key = tuple[str, UUID, UUID]


@dataclass(frozen=True, slots=True)
class Task:
    """One thing for a person. `marker` names the occurrence: what was dismissed comes back with another."""

    kind: TaskKind
    organization_id: UUID
    subject_id: UUID
    what: str
    marker: str
    url: str


@dataclass(frozen=True, slots=True)
class Found:
    """The tasks of one source that press most, and how many `more` the list behind has (counted to a limit)."""

    tasks: list[Task]
    more: int = 0
    label: str = ""
    url: str = ""

    @property
    def more_words(self) -> str:
        return f"{self.more:,}{'+' if self.more >= COUNT_LIMIT else ''}"


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task with the name of its customer and what was decided about it; `taken_by` is empty for a free one."""

    task: Task
    customer: str
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Every open task; or, with `subject_id`, those about one record, the put away ones too."""

    subject_id: UUID | None = None

    def choose(self, rows: QuerySet[Any], kind: Any, organization: str, marker: Any, subject: str = "pk") -> Any:
        """The rows with their `marker`, without synthetic customers and those put away for this occurrence."""
        rows = rows.filter(**{f"{organization}__is_synthetic": False}).annotate(task_kind=kind, task_marker=marker)
        if self.subject_id:
            return rows.filter(**{subject: self.subject_id})
        about = TaskDecision.objects.filter(
            organization_id=OuterRef(organization), kind=OuterRef("task_kind"), subject_id=OuterRef(subject)
        )
        is_away = Q(outcome=TaskState.DISMISSED) | Q(outcome=TaskState.SNOOZED, until__gt=clock.now())
        return rows.filter(~Exists(about.filter(is_away, marker=OuterRef("task_marker"))))


def kind_value(kind: TaskKind) -> Value:
    return Value(kind.value, output_field=CharField())


def written(moment: Any, pattern: str) -> Func:
    in_utc = Func(Value("UTC"), moment, function="timezone")
    return Func(in_utc, Value(pattern), function="to_char", output_field=CharField())


def written_as_iso(field: str) -> Func:
    """As `datetime.isoformat` writes it, which leaves out microseconds that are none."""
    moment = written(F(field), 'YYYY-MM-DD"T"HH24:MI:SS.US+00:00')
    return Func(moment, Value(".000000+"), Value("+"), function="replace", output_field=CharField())


def written_version() -> Concat:
    return Concat(Value("version "), Cast("version", CharField()))


def first_of(rows: Any, make: Callable[[Any], Task], label: str, url: str) -> Found:
    tasks = [make(row) for row in rows[:OF_EACH]]
    rest = rows.order_by().values("pk")[OF_EACH : OF_EACH + COUNT_LIMIT]
    more = rest.count() if len(tasks) == OF_EACH else 0
    return Found(tasks, more, label, url)


def key_of(task: Task) -> Key:
    return task.kind.value, task.organization_id, task.subject_id


def decisions_of(tasks: list[Task]) -> dict[Key, TaskDecision]:
    """What was last decided about each, of this occurrence or an earlier one."""
    rows = TaskDecision.objects.filter(subject_id__in={task.subject_id for task in tasks}).filter(
        organization_id__in={task.organization_id for task in tasks}
    )
    return {(row.kind, row.organization_id, row.subject_id): row for row in rows}


def is_put_away(task: Task, decision: TaskDecision | None) -> bool:
    """Whether the decision hides the task: dismissed for this occurrence, or snoozed until later."""
    if decision is None or decision.marker != task.marker:
        return False
    if decision.outcome == TaskState.SNOOZED:
        return decision.until is not None and decision.until > clock.now()
    return decision.outcome == TaskState.DISMISSED
