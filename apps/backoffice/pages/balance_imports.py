"""Imports of a product's own balances: the upload with its check, and each import with its progress (spec 02)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.admin import display
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget, UnfoldBooleanWidget

from apps.backoffice.cells import NOTHING, badge, code, counts, link, list_url, moment, number, page_url, record_link
from apps.backoffice.filters import choice_filter, text_filter
from apps.backoffice.panels import Fact, Panel, Row, panel_of
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff import acting_context
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb, refresh_when_over
from apps.core.amounts import format_micro
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.ids import ProductId
from apps.credits.enums import BalanceImportStatus
from apps.credits.models import BalanceImport
from apps.credits.models.balance_imports import ACTIVE
from apps.credits.rules.balance_file import COLUMNS, REQUIRED
from apps.credits.services import (
    balance_import_create,
    balance_import_discard,
    balance_import_start,
    balances_judge,
)
from apps.credits.services.balance_imports import JudgedFile
from apps.tenants.models import Product

IMPORT = "balances.import"
# What the web server takes of one request, less what else stands in it.
_LARGEST_FILE = 2 * 1024 * 1024 - 16 * 1024
_TONES: dict[str, Any] = {
    BalanceImportStatus.CHECKED: "warn",
    BalanceImportStatus.SUCCEEDED: "good",
    BalanceImportStatus.FAILED: "bad",
    BalanceImportStatus.DISCARDED: "neutral",
}
_TOTALS = {
    "file": "In the file",
    "before": "Imported here before",
    "booked": "Booked by this file",
    "after": "Imported here afterwards",
    "not_in_file": "Of it not in the file",
}


class UploadForm(forms.Form):
    """A file of balances, to be checked."""

    file = forms.FileField(
        label="CSV file",
        help_text=f"Its first line names the columns: {', '.join(REQUIRED)}, and if you like "
        f"{', '.join(COLUMNS[len(REQUIRED) :])}. Up to 2 MB here; larger ones by manage.py import_balances.",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
    )
    is_update = forms.BooleanField(
        label="Update balances that were imported before",
        required=False,
        help_text="Books the difference where a balance is another now. Without it such a file is refused.",
        widget=UnfoldBooleanWidget(),
    )
    reason = forms.CharField(
        label="Reason",
        max_length=500,
        help_text="Saved in the audit log permanently.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > _LARGEST_FILE:
            raise forms.ValidationError("The file is over 2 MB. Import it by manage.py import_balances, or split it.")
        return file


def upload_page(request: HttpRequest, product: Product, shown: Mapping[str, Any]) -> HttpResponse:
    """Show the form; a file without a fault leads to its import, which waits there for its start."""
    form = UploadForm(request.POST or None, request.FILES or None)
    judged: JudgedFile | None = None
    error: CountinghouseError | None = None
    if request.method == "POST" and form.is_valid():
        data, asked = form.cleaned_data["file"].read(), form.cleaned_data
        try:
            context = acting_context(request, IMPORT)
            product_id = ProductId(product.pk)
            judged = balances_judge(context, product_id=product_id, data=data, is_update=asked["is_update"])
            if not judged.faults:
                made = balance_import_create(
                    context,
                    product_id=product_id,
                    data=data,
                    file_name=asked["file"].name,
                    is_update=asked["is_update"],
                    reason=asked["reason"],
                )
                return HttpResponseRedirect(page_url(made))
        except CountinghouseError as refusal:
            error = refusal
    context_data = {
        **shown,
        "title": f"Import balances of {product.name}",
        "form": form,
        "faults": judged.faults if judged else [],
        "error": error,
    }
    return TemplateResponse(request, "backoffice/credits/import_balances.html", context_data)


def _start(context: ExecutionContext, record: BalanceImport, form: ReasonForm) -> object:
    return balance_import_start(context, import_id=UUID(str(record.pk)), reason=form.cleaned_data["reason"])


def _discard(context: ExecutionContext, record: BalanceImport, form: ReasonForm) -> object:
    return balance_import_discard(context, import_id=UUID(str(record.pk)), reason=form.cleaned_data["reason"])


def _refusal(record: BalanceImport) -> str:
    return "" if record.status == BalanceImportStatus.CHECKED else "This import does not wait for its start."


IMPORT_VERBS = (
    Verb(
        name="start",
        label="Start import",
        description="Books each line of the file once: a grant, or an adjustment for what is below zero. The file is "
        "checked again first.",
        submit="Start",
        operation=IMPORT,
        icon="play_arrow",
        refusal=_refusal,
        run=_start,
        done="Started. The page shows how far it is.",
        is_dangerous=True,
    ),
    Verb(
        name="discard",
        label="Discard",
        description="Drops the file. Nothing is booked.",
        operation=IMPORT,
        icon="delete",
        refusal=_refusal,
        run=_discard,
        done="Discarded. Nothing was booked.",
    ),
)


def import_badge(record: BalanceImport) -> SafeString:
    return badge(record.get_status_display(), _TONES.get(record.status, "info"))


class BalanceImportAdmin(StaffAdmin[BalanceImport]):
    """One file of balances, from its check to its end."""

    operation = "credits.read"
    icon = "upload_file"
    heading = "Imports of balances"
    about = "A product's own balances, brought over before it is moved to central. Begin on the product's page."
    ordering = ("-created_at",)
    list_select_related = ("product",)
    list_display = ("created", "named", "of_product", "status_badge", "result", "asked_by")
    list_filter = (
        text_filter("product", "product", field="product__slug", hint="Slug"),
        choice_filter("status", "status", lambda: BalanceImportStatus.choices),
    )
    search_help_text = "Id of the import"
    verbs = IMPORT_VERBS

    @display(description="Created")
    def created(self, record: BalanceImport) -> SafeString:
        return moment(record.created_at)

    @display(description="File")
    def named(self, record: BalanceImport) -> str:
        return record.file_name

    @display(description="Product")
    def of_product(self, record: BalanceImport) -> SafeString:
        return record_link(record.product)

    @display(description="Status")
    def status_badge(self, record: BalanceImport) -> SafeString:
        return import_badge(record)

    @display(description="Result")
    def result(self, record: BalanceImport) -> SafeString | str:
        return counts(record.counts) if record.counts else f"{number(record.lines)} lines"

    @display(description="Requested by")
    def asked_by(self, record: BalanceImport) -> str:
        return record.requested_by

    def title_of(self, record: BalanceImport) -> str:
        return f"Balances of {record.product.name}: {record.file_name}"

    def badges(self, record: BalanceImport) -> list[Any]:
        return [import_badge(record)]

    def facts(self, record: BalanceImport) -> list[Fact]:
        return [
            Fact("Product", record_link(record.product)),
            Fact("Lines", number(record.lines)),
            Fact("Balances imported before", "Difference is booked" if record.is_update else "Must be as before"),
            Fact("Result", counts(record.counts)),
            Fact("Error", record.error or NOTHING),
            Fact("Requested by", record.requested_by, record.reason),
            Fact("Created", moment(record.created_at)),
            Fact("Started", moment(record.started_at)),
            Fact("Finished", moment(record.finished_at)),
            Fact("SHA-256 of the file", code(record.digest[:16]), record.digest),
        ]

    def panels(self, request: HttpRequest, record: BalanceImport) -> list[Panel]:
        rows: list[Row] = [
            (label, format_micro(record.totals[name])) for name, label in _TOTALS.items() if name in record.totals
        ]
        totals = Panel("Totals on both sides", ("Total", "Credits"), rows, icon="balance")
        return [totals, *changes_of_target(request, "product", record.product_id)]

    def extra_context(self, request: HttpRequest, record: BalanceImport) -> dict[str, Any]:
        if record.status not in ACTIVE and not record.done:
            return {}
        return {
            "section": {
                "template": "backoffice/progress.html",
                "url": page_url(record),
                "is_live": record.status in ACTIVE,
                "has_failed": record.status == BalanceImportStatus.FAILED,
                "done": record.done,
                "all": record.lines,
                "what": "lines",
                "said": record.get_status_display(),
            }
        }

    def page(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        return refresh_when_over(request, super().page(request, object_id))


def imports_panel(product: Product) -> Panel:
    """The product's latest imports, for its page."""
    return panel_of(
        "Imports of balances",
        ("Import", "Status", "Result", "File"),
        BalanceImport.objects.filter(product=product).order_by("-created_at"),
        lambda row: (
            record_link(row, f"{row.created_at:%-d %b %Y, %H:%M}"),
            import_badge(row),
            counts(row.counts) if row.counts else f"{number(row.lines)} lines",
            row.file_name,
        ),
        empty="None yet. Before the product is moved to central, bring its own balances over: Import balances, above.",
        link=list_url(BalanceImport, product=product.slug),
        icon="upload_file",
    )


def imports_fact(upload_url: str) -> Fact:
    return Fact("Own balances", link(upload_url, "Import balances"), "From a file of the product, before the cutover.")
