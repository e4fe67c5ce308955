"""What a verb of the workspace page is. The verbs themselves stand in `subscription_verbs` and its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.backoffice.workspace.forms import VerbForm
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core.context import ExecutionContext

Refusal = Callable[[WorkspaceSubject], str]
Run = Callable[[ExecutionContext, WorkspaceSubject, VerbForm], object]


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that staff can do on the page.

    `refusal` says why it is not possible now, in words, and is empty where it is; it only decides what is offered: the
    service has the last word. `section` names the section that offers it. A rare verb stands behind "More".
    """

    name: str
    label: str
    section: str
    operation: str
    icon: str
    description: str
    form_class: type[VerbForm]
    refusal: Refusal
    run: Run
    done: str
    is_dangerous: bool = False
    is_rare: bool = False
    is_previewed: bool = True


def always(subject: WorkspaceSubject) -> str:
    """The refusal of a verb that is possible from everywhere."""
    return ""
