"""Verbs on the pages: each is a dialog (GET the form, POST with CSRF) that asks for a reason and calls one service.

Unfold renders a detail action without a dialog as a GET link, which must not change anything; so there is no way here
to declare one (spec 12).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.backoffice.staff import require_may
from apps.core.errors import CountinghouseError

if TYPE_CHECKING:
    from apps.backoffice.staff_admin import StaffAdmin

RecordT = TypeVar("RecordT", bound=Model)
FormT = TypeVar("FormT", bound="ReasonForm")
SelfT = TypeVar("SelfT", bound="StaffAdmin[Any]")
Parameters = ParamSpec("Parameters")

# What a verb answers: the sentence that is shown on the record's page, or a whole answer of its own.
Outcome = str | HttpResponse


class ReasonForm(forms.Form):
    """What every verb asks. Subclass to ask more."""

    reason = forms.CharField(
        label="Reason",
        max_length=500,
        help_text="Kept in the audit log, for good. Whoever reads it later was not here.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autofocus": True, "placeholder": "Why is this right?"}),
    )

    # Reason last, whatever a subclass adds before it.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([name for name in self.fields if name != "reason"])


@dataclass(frozen=True, slots=True)
class Dialog:
    """What a dialog says. `path` is where its form is posted."""

    title: str
    description: str
    submit: str
    is_dangerous: bool = False


def run_dialog(
    request: HttpRequest,
    dialog: Dialog,
    form_class: type[FormT],
    perform: Callable[[FormT], Outcome],
    *,
    done_url: str,
    initial: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Show the dialog on GET; on POST perform it. A refusal of the service is shown in the dialog."""
    form = form_class(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        try:
            outcome = perform(form)
        except CountinghouseError as error:
            form.add_error(None, error.detail)
        else:
            if isinstance(outcome, HttpResponse):
                return outcome
            messages.success(request, outcome)
            return _go_to(request, done_url)
    shown = {"dialog": dialog, "form": form, "post_url": request.path}
    return show_dialog(request, "dialog", shown, back_url=done_url)


def show_dialog(request: HttpRequest, template: str, context: dict[str, Any], *, back_url: str = "") -> HttpResponse:
    """The dialog as a fragment for the page's script, or on a page of its own for whoever has none.

    The page leads to `back_url` without a change; leave it out where there is nothing left to undo.
    """
    if is_of_page_script(request):
        return render(request, f"backoffice/{template}.html", context)
    page = {"title": "", "fragment": f"backoffice/{template}.html", "back_url": back_url}
    whole = {**admin.site.each_context(request), **context, **page}
    return render(request, "backoffice/dialog_page.html", whole)


def is_of_page_script(request: HttpRequest) -> bool:
    """Whether the page's own script asks, and puts the answer into the page."""
    return request.headers.get("HX-Request") == "true"


def _go_to(request: HttpRequest, url: str) -> HttpResponse:
    if is_of_page_script(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


class StaffAction:
    """A verb of a record's page, declared by `staff_action`. `operation` is what the architecture test reads."""

    def __init__(
        self,
        perform: Callable[[Any, HttpRequest, Any, Any], Outcome],
        *,
        operation: str,
        dialog: Dialog,
        form_class: type[ReasonForm],
        icon: str,
        applies_to: Callable[[Any], bool],
        initial: Callable[[Any], Mapping[str, Any]],
    ) -> None:
        self.perform = perform
        self.operation = operation
        self.dialog = dialog
        self.form_class = form_class
        self.icon = icon
        self.applies_to = applies_to
        self.initial = initial
        # What Unfold reads to draw the button.
        self.short_description = dialog.title
        self.url_path = perform.__name__.replace("_", "-")
        self.variant = ActionVariant.DANGER if dialog.is_dangerous else ActionVariant.DEFAULT
        self.attrs: dict[str, str] = {}
        self.original_function_name = perform.__name__
        self.__doc__ = perform.__doc__

    def __get__(self, page: StaffAdmin[Any] | None, owner: type[Any] | None = None) -> StaffAction | BoundStaffAction:
        return self if page is None else BoundStaffAction(self, page)


class BoundStaffAction:
    """A verb on one page: a view that takes the record's id."""

    def __init__(self, action: StaffAction, page: StaffAdmin[Any]) -> None:
        self.action = action
        self.page = page

    def __getattr__(self, name: str) -> Any:
        return getattr(self.action, name)

    def __call__(self, request: HttpRequest, object_id: object) -> HttpResponse:
        action, page = self.action, self.page
        require_may(request, action.operation)
        record = page.record_or_404(request, object_id)

        def perform(form: ReasonForm) -> Outcome:
            return action.perform(page, request, record, form)

        first = action.initial(record)
        return run_dialog(
            request, action.dialog, action.form_class, perform, done_url=page.url_of(record), initial=first
        )


def staff_action(
    *,
    operation: str,
    dialog: Dialog,
    form_class: type[FormT],
    icon: str,
    applies_to: Callable[[Any], bool] = lambda record: True,
    initial: Callable[[Any], Mapping[str, Any]] = lambda record: {},
) -> Callable[[Callable[Concatenate[SelfT, HttpRequest, RecordT, FormT, Parameters], Outcome]], StaffAction]:
    """Declare a method `(self, request, record, form)` as a verb. It is offered to those whose role reaches the
    operation, on records that it applies to; the service has the last word on both. `initial` is what stands in the
    form at first.
    """

    def declare(
        perform: Callable[Concatenate[SelfT, HttpRequest, RecordT, FormT, Parameters], Outcome],
    ) -> StaffAction:
        return StaffAction(
            perform,
            operation=operation,
            dialog=dialog,
            form_class=form_class,
            icon=icon,
            applies_to=applies_to,
            initial=initial,
        )

    return declare
