"""Explained differences: the verbs that mark a class or one of them, and each mark with its way back (spec 02)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.admin import display
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from apps.backoffice.cells import NOTHING, badge, code, link, moment, page_url_of, record_link, short
from apps.backoffice.filters import choice_filter, text_filter
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.core.ids import ProductId
from apps.credits.enums import DisagreementClass
from apps.credits.models import DifferenceMark, ShadowDisagreement
from apps.credits.services import difference_explain, difference_mark_undo, differences_explain
from apps.credits.services.differences import OPERATION as EXPLAIN
from apps.tenants.models import Product


class ExplainForm(ReasonForm):
    """Which differences, and why they don't count."""

    difference = forms.ChoiceField(
        label="What differs", choices=DisagreementClass.choices, widget=UnfoldAdminSelectWidget()
    )
    operation = forms.CharField(
        required=False,
        max_length=80,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "fix_run"}),
        help_text="Leave empty for every operation.",
    )
    covers_coming = forms.BooleanField(
        label="Also those to come",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="Without it only those that were seen until now are explained; new ones count again.",
    )


def _explain(context: ExecutionContext, product: Product, form: ExplainForm) -> str:
    mark = differences_explain(
        context,
        product_id=ProductId(product.pk),
        difference=DisagreementClass(form.cleaned_data["difference"]),
        operation=form.cleaned_data["operation"].strip(),
        covers_coming=form.cleaned_data["covers_coming"],
        reason=form.cleaned_data["reason"],
    )
    return f"Explained: {mark}. They count as agreement in the gate until you take it back on the drift board."


def _explain_one(context: ExecutionContext, record: ShadowDisagreement, form: ReasonForm) -> object:
    return difference_explain(context, disagreement_id=UUID(str(record.pk)), reason=form.cleaned_data["reason"])


def _undo(context: ExecutionContext, mark: DifferenceMark, form: ReasonForm) -> object:
    return difference_mark_undo(context, mark_id=UUID(str(mark.pk)), reason=form.cleaned_data["reason"])


def _undone(mark: DifferenceMark) -> str:
    return "" if mark.undone_at is None else "This mark was taken back before."


EXPLAIN_CLASS = Verb(
    name="explain",
    label="Explain differences",
    description="Says why a class of differences doesn't count. In the gate to central they count as agreement.",
    submit="Explain",
    operation=EXPLAIN,
    icon="verified",
    form_class=ExplainForm,
    run=_explain,
)
EXPLAIN_ONE = Verb(
    name="explain",
    label="Explain",
    description="Says why this one difference doesn't count. In the gate to central it counts as agreement.",
    operation=EXPLAIN,
    icon="verified",
    run=_explain_one,
    done="Explained. You can take it back on the drift board.",
)
UNDO = Verb(
    name="undo",
    label="Take back",
    description="What this mark explained counts as differing again.",
    operation=EXPLAIN,
    icon="undo",
    refusal=_undone,
    run=_undo,
    done="Taken back. What it explained counts again.",
)


class DifferenceMarkAdmin(StaffAdmin[DifferenceMark]):
    """A reason why differences don't count."""

    operation = "credits.read"
    icon = "verified"
    heading = "Explained differences"
    about = "Why differences of shadow mode don't count in the gate to central. Make them on a product's drift board."
    ordering = ("-marked_at",)
    list_select_related = ("product",)
    list_display = ("marked", "what", "of_product", "why", "by", "state")
    list_filter = (
        text_filter("product", "product", field="product__slug", hint="Slug"),
        choice_filter("difference", "what differs", lambda: DisagreementClass.choices),
    )
    search_help_text = "Id of the mark"
    verbs = (UNDO,)

    @display(description="Marked")
    def marked(self, record: DifferenceMark) -> SafeString:
        return moment(record.marked_at)

    @display(description="Differences")
    def what(self, record: DifferenceMark) -> str:
        return str(record)

    @display(description="Product")
    def of_product(self, record: DifferenceMark) -> SafeString:
        return record_link(record.product)

    @display(description="Reason")
    def why(self, record: DifferenceMark) -> SafeString:
        return short(record.reason, 60)

    @display(description="By")
    def by(self, record: DifferenceMark) -> str:
        return record.marked_by

    @display(description="State")
    def state(self, record: DifferenceMark) -> SafeString:
        return badge("Taken back") if record.undone_at else badge("Counts", "good")

    def title_of(self, record: DifferenceMark) -> str:
        return str(record)

    def badges(self, record: DifferenceMark) -> list[Any]:
        return [self.state(record)]

    def facts(self, record: DifferenceMark) -> list[Fact]:
        one = record.disagreement_id
        until = moment(record.covers_until) if record.covers_until else "Also those to come"
        return [
            Fact("Product", record_link(record.product)),
            Fact("What differs", record.get_difference_display()),
            Fact("Operation", code(record.operation) if record.operation else "Any"),
            Fact("Difference", link(page_url_of(ShadowDisagreement, one), "Open") if one else "All of the class"),
            Fact("Covers", until, "The last moment that it speaks of."),
            Fact("Reason", record.reason),
            Fact("Marked by", record.marked_by),
            Fact("Marked", moment(record.marked_at)),
            Fact("Taken back by", record.undone_by or NOTHING),
            Fact("Taken back", moment(record.undone_at)),
        ]

    def panels(self, request: HttpRequest, record: DifferenceMark) -> list[Panel]:
        return changes_of_target(request, "product", record.product_id)
