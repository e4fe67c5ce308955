"""The dialogs that take, snooze or dismiss a task of the overview."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from apps.backoffice.duties.found import SOURCES, find, find_tasks, open_tasks
from apps.backoffice.duties.occurrences import Found, Task, Wanted
from apps.backoffice.duties.services import DECIDE_OPERATION, task_decide
from apps.backoffice.enums import TaskState
from apps.backoffice.form_fields import moment_field
from apps.backoffice.staff import may, require_may
from apps.backoffice.verbs import ReasonForm, Verb, run_verb
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.tenants.models import Organization

_A_DAY = timedelta(days=1)


class SnoozeForm(ReasonForm):
    until = moment_field("Until")

    def prepare(self) -> None:
        self.fields["until"].initial = clock.now() + _A_DAY


def _decide(state: TaskState) -> Callable[[ExecutionContext, Task, Any], object]:
    def run(context: ExecutionContext, task: Task, form: Any) -> object:
        until = form.cleaned_data.get("until")
        return task_decide(context, task=task, outcome=state, reason=form.cleaned_data["reason"], until=until)

    return run


def _organization(task: Task, form: object) -> Organization | None:
    return Organization.objects.filter(pk=task.organization_id).first()


def _verb(state: TaskState, label: str, description: str, done: str, form_class: type[ReasonForm]) -> Verb:
    return Verb(
        name=state.value,
        label=label,
        description=description,
        operation=DECIDE_OPERATION,
        icon="task_alt",
        form_class=form_class,
        run=_decide(state),
        done=done,
        organization_of=_organization,
        eyebrow=lambda task: f"{task.kind.label}: {task.what}",
    )


TASK_VERBS = {
    verb.name: verb
    for verb in (
        _verb(TaskState.TAKEN, "Take", "Shows colleagues that you look after it.", "The task is yours.", ReasonForm),
        _verb(
            TaskState.SNOOZED,
            "Snooze",
            "Takes it off the overview until then.",
            "The task is off the overview until then.",
            SnoozeForm,
        ),
        _verb(
            TaskState.DISMISSED,
            "Dismiss",
            "Takes it off the overview. It comes back only when it happens anew.",
            "The task is dismissed.",
            ReasonForm,
        ),
    )
}


def task_routes(guarded: Callable[..., Any]) -> list[URLPattern]:
    view = guarded(require_http_methods(["GET", "POST"])(decide_task))
    return [path("tasks/<slug:kind>/<uuid:organization_id>/<uuid:subject_id>/<slug:verb>/", view, name="decide_task")]


def decide_task(request: HttpRequest, kind: str, organization_id: UUID, subject_id: UUID, verb: str) -> HttpResponse:
    """The dialog of one decision. A task that is gone has been done meanwhile."""
    require_may(request, DECIDE_OPERATION)
    chosen = TASK_VERBS.get(verb)
    place = (kind, organization_id, subject_id)
    tasks = find_tasks(_sources_for(request), Wanted(subject_id))
    found = {(task.kind.value, task.organization_id, task.subject_id): task for task in tasks}
    if chosen is None or place not in found:
        raise Http404("This task is not there any more: what asked for a person is settled.")
    return run_verb(request, chosen, found[place], done_url=reverse("admin:index"))


def _sources_for(request: HttpRequest) -> set[str]:
    return {operation for operation, _ in SOURCES if may(request, operation)}


def task_panel(request: HttpRequest) -> dict[str, Any]:
    """Each open task with its customer and its buttons, as the template shows them; and of which kinds there are more.

    The buttons are left out for whoever may not decide.
    """
    lists: list[Found] = find(_sources_for(request))
    may_decide = may(request, DECIDE_OPERATION)
    rows = []
    for shown in open_tasks([task for found in lists for task in found.tasks]):
        task = shown.task
        place = (task.kind.value, task.organization_id, task.subject_id)
        urls = [(verb, reverse("admin:decide_task", args=(*place, verb.name))) for verb in TASK_VERBS.values()]
        rows.append({"shown": shown, "buttons": urls if may_decide else []})
    return {"rows": rows, "more": [found for found in lists if found.more]}
