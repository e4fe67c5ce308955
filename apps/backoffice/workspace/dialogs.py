"""The dialog of a verb: form, preview by the same code, apply with the preview's token (spec 03, Preview).

Each step is a POST with CSRF; nothing is kept between the steps but what the page itself carries. A refusal at any step
shows the form again with everything that was typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.enums import ActionVariant

from apps.backoffice.actions import BoundStaffAction, Dialog, StaffAction, is_of_page_script, show_dialog
from apps.backoffice.audit_diff import FieldChange
from apps.backoffice.display import page_url
from apps.backoffice.staff import acting_context, require_may
from apps.backoffice.workspace.catalogue import VERBS
from apps.backoffice.workspace.changes import changed_fields
from apps.backoffice.workspace.forms import VerbForm
from apps.backoffice.workspace.subject import WorkspaceSubject, subject_now
from apps.backoffice.workspace.verbs import Verb
from apps.backoffice.workspace.words import PreviewWords, preview_words
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.subscriptions.preview import apply_previewed, preview

if TYPE_CHECKING:
    from apps.backoffice.staff_admin import StaffAdmin


class Step(Enum):
    """Which button of the dialog was pressed."""

    EDIT = "edit"
    PREVIEW = "preview"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Deed:
    """One verb that one person wants done to one workspace, with the filled-in form."""

    context: ExecutionContext
    subject: WorkspaceSubject
    verb: Verb
    form: VerbForm

    def run(self) -> object:
        """Do it, through the service."""
        return self.verb.run(self.context, self.subject, self.form)

    def preview(self) -> PreviewWords:
        """Do it and roll it back; what came of it, in words, with the token to apply it."""
        fields: list[FieldChange] = []

        def run() -> None:
            fields.extend(changed_fields(self.subject, self.run))

        made = preview(
            self.context,
            workspace_id=self.subject.workspace_id,
            verb=self.verb.name,
            inputs=self.form.inputs(),
            run=run,
        )
        return preview_words(made, fields)

    def apply(self, token: str) -> None:
        """Do what was previewed; refused when the state moved on since."""
        if not self.verb.is_previewed:
            self.run()
            return
        apply_previewed(
            self.context,
            token=token,
            workspace_id=self.subject.workspace_id,
            verb=self.verb.name,
            inputs=self.form.inputs(),
            run=self.run,
        )


class PreviewedAction(StaffAction):
    """A verb of the workspace page, as the other pages' verbs are declared: with its operation and its dialog."""

    def __init__(self, verb: Verb) -> None:
        self.verb = verb
        self.operation = verb.operation
        self.dialog = Dialog(verb.label, verb.description, verb.label, is_dangerous=verb.is_dangerous)
        self.form_class = verb.form_class
        self.icon = verb.icon
        self.short_description = verb.label
        self.url_path = verb.name.replace("_", "-")
        self.variant = ActionVariant.DANGER if verb.is_dangerous else ActionVariant.DEFAULT
        self.attrs: dict[str, str] = {}
        self.original_function_name = verb.name
        self.__doc__ = verb.description

    def __get__(self, page: StaffAdmin[Any] | None, owner: type[Any] | None = None) -> StaffAction | BoundStaffAction:
        return self if page is None else BoundPreviewedAction(self, page)


class BoundPreviewedAction(BoundStaffAction):
    """A verb on the workspace page: a view that takes the workspace's id."""

    def __init__(self, action: PreviewedAction, page: StaffAdmin[Any]) -> None:
        super().__init__(action, page)
        self.verb = action.verb

    def __call__(self, request: HttpRequest, object_id: object) -> HttpResponse:
        verb = self.verb
        require_may(request, verb.operation)
        subject = subject_now(self.page.record_or_404(request, object_id))
        if request.method != "POST":
            return _show_form(request, verb, verb.form_class(subject), subject)
        form = verb.form_class(subject, request.POST)
        if _step(request, verb) is Step.EDIT or not form.is_valid():
            if _step(request, verb) is Step.EDIT:
                form.errors.clear()
            return _show_form(request, verb, form, subject)
        deed = Deed(acting_context(request, verb.operation, subject.organization), subject, verb, form)
        return self._carry_on(request, deed)

    def _carry_on(self, request: HttpRequest, deed: Deed) -> HttpResponse:
        try:
            if _step(request, deed.verb) is Step.PREVIEW:
                return _show_preview(request, deed)
            deed.apply(request.POST.get("token", ""))
        except CountinghouseError as error:
            return _show_refusal(request, deed, error)
        messages.success(request, deed.verb.done)
        url = self.page.url_of(deed.subject.workspace)
        if is_of_page_script(request):
            return HttpResponse(headers={"HX-Redirect": url})
        return HttpResponseRedirect(url)


def _step(request: HttpRequest, verb: Verb) -> Step:
    try:
        step = Step(request.POST.get("step", ""))
    except ValueError:
        step = Step.PREVIEW
    return Step.APPLY if step is Step.PREVIEW and not verb.is_previewed else step


def _show_form(
    request: HttpRequest, verb: Verb, form: VerbForm, subject: WorkspaceSubject, error: CountinghouseError | None = None
) -> HttpResponse:
    context = {
        "verb": verb,
        "form": form,
        "subject": subject,
        "post_url": request.path,
        "error": error,
        # Why the form would be refused; empty where a person has typed already, who is told by the service.
        "refusal": "" if form.is_bound else verb.refusal(subject),
    }
    return show_dialog(request, "workspace/form", context, back_url=page_url(subject.workspace))


def _show_preview(request: HttpRequest, deed: Deed) -> HttpResponse:
    context = {
        "verb": deed.verb,
        "form": deed.form,
        "subject": deed.subject,
        "post_url": request.path,
        "preview": deed.preview(),
    }
    return show_dialog(request, "workspace/preview", context, back_url=page_url(deed.subject.workspace))


def _show_refusal(request: HttpRequest, deed: Deed, error: CountinghouseError) -> HttpResponse:
    """The form with everything that was typed. What it is compared with from now on is what the refusal tells of."""
    now = subject_now(deed.subject.workspace)
    deed.form.renew_version(now)
    return _show_form(request, deed.verb, deed.form, now, error)


def verb_actions() -> dict[str, PreviewedAction]:
    """Each verb as an action of the page."""
    return {name: PreviewedAction(verb) for name, verb in VERBS.items()}
