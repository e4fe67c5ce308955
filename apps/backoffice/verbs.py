"""Verbs: what staff do to a record. A verb is a row of data; one view and one dialog serve them all.

A dialog asks for a reason, shows a preview where the verb has one, and calls one service. Unfold renders a detail
action without a dialog as a GET link, which must not change anything; here GET shows the form alone (spec 12). Every
step is a POST with CSRF, and nothing is kept between the steps but what the page carries. A refusal at any step changes
nothing and shows the form again with everything that was typed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.backoffice.staff import acting_context, may
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.idempotency import IdempotencyKeyInFlightError
from apps.tenants.models import Organization

DONE_BEFORE = "This was already done by your first click. Nothing was done a second time."


class ReasonForm(forms.Form):
    """What every verb asks. Subclass with fields, and `prepare` what depends on the record."""

    reason = forms.CharField(
        label="Reason",
        max_length=500,
        help_text="Saved in the audit log permanently. Write it so a colleague understands it in a year.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "Why are you doing this?"}),
    )

    def __init__(self, data: Any = None, *, record: Any = None, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.record = record
        # Reason last, whatever a subclass adds before it.
        self.order_fields([name for name in self.fields if name != "reason"])
        self.prepare()

    def prepare(self) -> None:
        """Set choices and first values from `self.record`."""

    def clean_reason(self) -> str:
        """Write line ends as the audit log does, so that the preview's token binds the stored text."""
        return str(self.cleaned_data["reason"]).replace("\r\n", "\n")

    def renew(self, error: CountinghouseError) -> None:
        """Prepare the hidden fields for another try after a refusal."""

    def replace_data(self, name: str, value: object) -> None:
        """Put another value into a hidden field of a form that was sent."""
        self.data = {**{each: self.data.get(each) for each in self.data}, name: value}

    def entries(self) -> list[tuple[str, str]]:
        """What was typed, as the preview repeats it."""
        return [(str(field.label), self._entry(field)) for field in self.visible_fields() if field.value()]

    def _entry(self, field: forms.BoundField) -> str:
        value = self.cleaned_data[field.name]
        if isinstance(field.field, forms.ChoiceField):
            return str(dict(field.field.choices).get(str(value), value))  # type: ignore[arg-type]
        if isinstance(value, bool):
            return "Yes" if value else "No"
        return f"{value:%-d %B %Y, %H:%M} UTC" if isinstance(value, datetime) else str(field.value())


class KeyedForm(ReasonForm):
    """A form with an idempotency key from the moment it is opened: a double click has its effect once (spec 05)."""

    key = forms.RegexField(r"^[0-9a-f-]{32,36}$", max_length=36, widget=forms.HiddenInput())

    def prepare(self) -> None:
        self.fields["key"].initial = str(uuid.uuid4())

    def renew(self, error: CountinghouseError) -> None:
        """Take another key, because the service keeps a refusal with its key. One in flight is asked again."""
        if not isinstance(error, IdempotencyKeyInFlightError):
            self.replace_data("key", str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Change:
    """One value before and after, in words."""

    label: str
    before: str
    after: str
    note: str = ""
    tone: str = ""

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changes under one heading; `note` stands below them."""

    title: str
    changes: Sequence[Change]
    note: str = ""
    is_comparison: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a verb will do, before the last click. `token` applies exactly this, where the verb asks for one."""

    groups: Sequence[ChangeGroup]
    lifecycle: Change | None = None
    lines: Sequence[str] = ()
    warning: str = ""
    tenant_sees: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class NextDialog:
    """An outcome that is shown in the dialog's place, such as a token that is shown once."""

    template: str
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WayOn:
    """An outcome that leads to a page elsewhere; `enter` prepares the session for it."""

    url: str
    enter: Callable[[HttpRequest], None]


def always(record: object) -> str:
    """The refusal of a verb that is possible on every record."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One thing that staff can do to a record.

    `run` calls the service. `done` is the sentence for the page afterwards, or makes it from the outcome; without one,
    `run` returns it, a `NextDialog` or a `WayOn`. `effect` computes the preview from the record and the valid form;
    without one the form applies at once. `refusal` says why the verb is not possible now, empty where it is: it decides
    what is offered, and the service has the last word. `section` names the section of the workspace page that offers
    it; a rare verb stands behind "More".
    """

    name: str
    label: str
    description: str
    operation: str
    icon: str
    run: Callable[[ExecutionContext, Any, Any], object]
    done: str | Callable[[Any], str] = ""
    submit: str = ""
    form_class: type[ReasonForm] = ReasonForm
    initial: Callable[[Any], Mapping[str, Any]] = lambda record: {}
    effect: Callable[[Any, Any], Preview] | None = None
    refusal: Callable[[Any], str] = always
    organization_of: Callable[[Any, Any], Organization | None] = lambda record, form: None
    eyebrow: Callable[[Any], str] = lambda record: ""
    section: str = ""
    is_dangerous: bool = False
    is_rare: bool = False

    @property
    def is_previewed(self) -> bool:
        return self.effect is not None

    def told(self, outcome: object) -> str:
        """The sentence for the page after the change."""
        return self.done(outcome) if callable(self.done) else self.done or str(outcome)

    @property
    def url_path(self) -> str:
        return self.name.replace("_", "-")

    def preview(self, context: ExecutionContext, record: Any, form: Any) -> Preview:
        """What the verb would do; changes nothing."""
        if self.effect is None:
            raise AssertionError(f"{self.name} has no preview")
        return self.effect(record, form)

    def apply(self, context: ExecutionContext, record: Any, form: Any, token: str) -> object:
        """Do it. `token` is that of the preview, for verbs that bind one."""
        return self.run(context, record, form)


@dataclass(frozen=True, slots=True)
class Button:
    """A verb that is offered, with the address of its dialog."""

    verb: Verb
    url: str


def buttons(request: HttpRequest, verbs: Iterable[Verb], record: Any, url_of: Callable[[Verb], str]) -> list[Button]:
    """The verbs that whoever asks may use on the record as it is."""
    return [Button(verb, url_of(verb)) for verb in verbs if may(request, verb.operation) and not verb.refusal(record)]


def run_verb(request: HttpRequest, verb: Verb, record: Any, *, done_url: str) -> HttpResponse:
    """The view of every verb: the form, its preview, the change. The caller has checked the verb's operation."""
    data = request.POST if request.method == "POST" else None
    form = verb.form_class(data, record=record, initial={**verb.initial(record), **_prefilled(request, verb)})
    shown = {"verb": verb, "form": form, "eyebrow": verb.eyebrow(record), "post_url": request.get_full_path()}
    step = request.POST.get("step", "")
    if data is None:
        shown["refusal"] = verb.refusal(record)
    if not form.is_valid() or step == "edit":
        if step == "edit":
            # Back from the preview: whoever returns to change an entry has not yet made a mistake.
            form.errors.clear()
        return show_dialog(request, "dialog", shown, back_url=done_url)
    try:
        # Roles are read again: somebody may have been demoted since the dialog opened.
        context = acting_context(request, verb.operation, verb.organization_of(record, form))
        if verb.is_previewed and step != "apply":
            preview = verb.preview(context, record, form)
            return show_dialog(request, "dialog", {**shown, "preview": preview}, back_url=done_url)
        outcome = verb.apply(context, record, form, request.POST.get("token", ""))
    except CountinghouseError as error:
        # The refusal stands in the dialog, above what was typed; as a page of its own it would lose that.
        form.renew(error)
        return show_dialog(request, "dialog", {**shown, "error": error}, back_url=done_url)
    if isinstance(outcome, NextDialog):
        return show_dialog(request, outcome.template, dict(outcome.context))
    return _go_on(request, verb, outcome, done_url)


def _go_on(request: HttpRequest, verb: Verb, outcome: object, done_url: str) -> HttpResponse:
    """To the page afterwards, which says what was done; or to where the outcome leads."""
    if isinstance(outcome, WayOn):
        outcome.enter(request)
        done_url = outcome.url
    elif outcome == DONE_BEFORE:
        messages.info(request, DONE_BEFORE)
    else:
        messages.success(request, verb.told(outcome))
    if is_of_page_script(request):
        # A redirect would be followed by the script, and the whole page put into the dialog.
        return HttpResponse(headers={"HX-Redirect": done_url})
    return HttpResponseRedirect(done_url)


def _prefilled(request: HttpRequest, verb: Verb) -> dict[str, str]:
    """First values from the address, such as those that undo a deed. Nothing hidden, and never the reason."""
    fields = verb.form_class.base_fields
    return {
        name: str(request.GET[name])
        for name in request.GET
        if name in fields and name != "reason" and not isinstance(fields[name].widget, forms.HiddenInput)
    }


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


def refresh_when_over(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The page of some work, asked for by its script: once the work is over, facts and buttons are others too."""
    section = (getattr(response, "context_data", None) or {}).get("section")
    if is_of_page_script(request) and response.status_code == HTTPStatus.OK and not (section and section["is_live"]):
        response["HX-Refresh"] = "true"
    return response
