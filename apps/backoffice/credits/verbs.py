"""Verbs of credits: form, effect, and one effect however often it is clicked (spec 05, No double charge).

The form carries its idempotency key from the moment it is opened. The service keeps the key with its answer; the second
click of a double click, the reload and the lost answer are told that it was done before.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.backoffice.actions import (
    BoundStaffAction,
    Dialog,
    ReasonForm,
    StaffAction,
    is_of_page_script,
    show_dialog,
)
from apps.backoffice.credits.effects import Effect
from apps.backoffice.staff import require_may
from apps.core.errors import CountinghouseError
from apps.core.idempotency import IdempotencyKeyInFlightError
from apps.tenants.models import Workspace

if TYPE_CHECKING:
    from apps.backoffice.staff_admin import StaffAdmin

BACK = "back"
DONE_BEFORE = "This was done already, by the first click. Nothing was done a second time."


class CreditForm(ReasonForm):
    """A form with the key under which its effect happens once."""

    key = forms.RegexField(r"^[0-9a-f-]{32,36}$", max_length=36, widget=forms.HiddenInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = str(uuid.uuid4())

    def renew_key(self) -> None:
        """Take another key: a refusal stays with its key for ever, and what is typed next is another request."""
        self.data = {**{name: self.data.get(name) for name in self.data}, "key": str(uuid.uuid4())}

    def clean_reason(self) -> str:
        """The reason, with the line ends of the audit log."""
        return str(self.cleaned_data["reason"]).replace("\r\n", "\n")

    def typed(self) -> list[tuple[str, str]]:
        """What was typed, in words."""
        return [(str(field.label), self._in_words(field)) for field in self.visible_fields() if field.value()]

    def _in_words(self, field: forms.BoundField) -> str:
        value = self.cleaned_data[field.name]
        if isinstance(field.field, forms.ChoiceField):
            return str(dict(field.field.choices).get(str(value), value))  # type: ignore[arg-type]
        return str(field.value())


class CreditVerb(StaffAction):
    """A verb with an effect to look at first. `effect` and `perform` take the page's record and the valid form."""

    def __init__(self, effect: Callable[[Any, Any], Effect], eyebrow: Callable[[Any], str], **values: Any) -> None:
        super().__init__(**values)
        self.effect = effect
        self.eyebrow = eyebrow

    def __get__(self, page: Any, owner: type[Any] | None = None) -> StaffAction | BoundStaffAction:
        return self if page is None else BoundCreditVerb(self, page)


class BoundCreditVerb(BoundStaffAction):
    """The verb on one page: form, then what it will do, then done."""

    def __init__(self, action: CreditVerb, page: StaffAdmin[Any]) -> None:
        super().__init__(action, page)
        self.verb = action

    def __call__(self, request: HttpRequest, object_id: object) -> HttpResponse:
        action, page = self.action, self.page
        require_may(request, action.operation)
        record = page.record_or_404(request, object_id)
        form = action.form_class(request.POST if request.method == "POST" else None, initial=action.initial(record))
        step = request.POST.get("step", "")
        if request.method != "POST" or step == "edit" or not form.is_valid():
            if step == "edit":
                form.errors.clear()
            return self._show(request, record, form, "form")
        try:
            if step != "apply":
                return self._show(request, record, form, "effect", effect=self.verb.effect(record, form))
            outcome = action.perform(page, request, record, form)
        except CountinghouseError as error:
            if not isinstance(error, IdempotencyKeyInFlightError):
                _renew_key(form)
            return self._show(request, record, form, "form", error=error)
        return _done(request, str(outcome), done_url(request, record, page.url_of(record)))

    def _show(self, request: HttpRequest, record: Model, form: Any, template: str, **more: Any) -> HttpResponse:
        context = {
            "dialog": self.action.dialog,
            "eyebrow": self.verb.eyebrow(record),
            "form": form,
            "post_url": request.get_full_path(),
            **more,
        }
        back_url = done_url(request, record, self.page.url_of(record))
        return show_dialog(request, f"credits/{template}", context, back_url=back_url)


def credit_verb(
    *,
    operation: str,
    dialog: Dialog,
    form_class: type[CreditForm],
    icon: str,
    effect: Callable[[Any, Any], Effect],
    eyebrow: Callable[[Any], str],
    applies_to: Callable[[Any], bool] = lambda record: True,
    initial: Callable[[Any], Mapping[str, Any]] = lambda record: {},
) -> Callable[[Callable[..., str]], StaffAction]:
    """Declare a method `(self, request, record, form)` as a verb with an effect to look at first."""

    def declare(perform: Callable[..., str]) -> StaffAction:
        return CreditVerb(
            effect,
            eyebrow,
            perform=perform,
            operation=operation,
            dialog=dialog,
            form_class=form_class,
            icon=icon,
            applies_to=applies_to,
            initial=initial,
        )

    return declare


def done_url(request: HttpRequest, record: Model, usual: str) -> str:
    """Where the dialog leads: to the page that it was opened from, if that shows the same organization."""
    kind, _, key = request.GET.get(BACK, "").partition(":")
    organization_id = getattr(record, "organization_id", None) or getattr(record, "account_id", None)
    if kind == "organization":
        return reverse("admin:tenants_organization_change", args=(organization_id,))
    if kind == "workspace":
        found = _workspace(key, organization_id)
        return reverse("admin:tenants_workspace_change", args=(found.pk,)) if found else usual
    return usual


def _workspace(key: str, organization_id: uuid.UUID | None) -> Workspace | None:
    if organization_id is None:
        return None
    try:
        return Workspace.objects.filter(pk=uuid.UUID(key), organization_id=organization_id).first()
    except ValueError:
        return None


def _renew_key(form: forms.Form) -> None:
    if isinstance(form, CreditForm):
        form.renew_key()


def _done(request: HttpRequest, sentence: str, url: str) -> HttpResponse:
    (messages.info if sentence == DONE_BEFORE else messages.success)(request, sentence)
    if is_of_page_script(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)
