"""Cutover checks by the staff pages: asked for, followed line by line, and their history (spec 02, Cutover)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.admin import display
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, badge, code, moment, record_link, short
from apps.backoffice.filters import choice_filter, text_filter
from apps.backoffice.panels import Fact, Panel, Row
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb, refresh_when_over
from apps.core.context import ExecutionContext
from apps.core.ids import ProductId
from apps.tenants.enums import CutoverRunStatus
from apps.tenants.models import CutoverRun, Product
from apps.tenants.services import cutover_run_request

# Five steps through the API, three lines of data, and the shadow figures.
_LINES = 9
_TONES: dict[str, Any] = {CutoverRunStatus.PASSED: "good", CutoverRunStatus.FAILED: "bad"}
LINE_TONES: dict[str, Any] = {"passed": "good", "failed": "bad", "nothing": "neutral"}
_LIVE = (CutoverRunStatus.QUEUED, CutoverRunStatus.RUNNING)


def _request(context: ExecutionContext, product: Product, form: ReasonForm) -> str:
    cutover_run_request(
        context,
        product_id=ProductId(product.pk),
        base_url=settings.PUBLIC_URL,
        reason=form.cleaned_data["reason"],
    )
    return f"{product.name} is being checked. Open the check below: its lines appear as they are found."


CHECK = Verb(
    name="check_cutover",
    label="Check cutover",
    description="Drives the API as the product, in an organization made for it, and looks at the product's members, "
    "prices and accounts. It closes what it made. Central asks for a check of the last day that passed.",
    submit="Check now",
    operation="products.manage",
    icon="checklist",
    run=_request,
)


class CutoverRunAdmin(StaffAdmin[CutoverRun]):
    """One cutover check that staff have asked for."""

    operation = "products.read"
    icon = "checklist"
    heading = "Cutover checks"
    about = "Whether a product could be decided centrally, as staff have asked. Begin one on the product's page."
    ordering = ("-created_at",)
    list_select_related = ("product",)
    list_display = ("created", "of_product", "status_badge", "first_failure", "asked_by", "finished")
    list_filter = (
        text_filter("product", "product", field="product__slug", hint="Slug"),
        choice_filter("status", "status", lambda: CutoverRunStatus.choices),
    )
    search_help_text = "Id of the check"

    @display(description="Created")
    def created(self, record: CutoverRun) -> SafeString:
        return moment(record.created_at)

    @display(description="Product")
    def of_product(self, record: CutoverRun) -> SafeString:
        return record_link(record.product)

    @display(description="Status")
    def status_badge(self, record: CutoverRun) -> SafeString:
        return run_badge(record)

    @display(description="First failure")
    def first_failure(self, record: CutoverRun) -> SafeString:
        failed = [line["name"] for line in record.lines if line["outcome"] == "failed"]
        return short(record.error or (failed[0] if failed else ""), 60)

    @display(description="Requested by")
    def asked_by(self, record: CutoverRun) -> str:
        return record.requested_by

    @display(description="Finished")
    def finished(self, record: CutoverRun) -> SafeString:
        return moment(record.finished_at)

    def title_of(self, record: CutoverRun) -> str:
        return f"Cutover check of {record.product.name}, {record.created_at:%-d %B %Y, %H:%M}"

    def badges(self, record: CutoverRun) -> list[Any]:
        return [run_badge(record)]

    def facts(self, record: CutoverRun) -> list[Fact]:
        return [
            Fact("Product", record_link(record.product)),
            Fact("API at", code(record.base_url)),
            Fact("Error", record.error or NOTHING),
            Fact("Requested by", record.requested_by, record.reason),
            Fact("Created", moment(record.created_at)),
            Fact("Finished", moment(record.finished_at)),
        ]

    def panels(self, request: HttpRequest, record: CutoverRun) -> list[Panel]:
        return changes_of_target(request, "product", record.product_id)

    def extra_context(self, request: HttpRequest, record: CutoverRun) -> dict[str, Any]:
        rows: list[Row] = [
            (badge(line["outcome"].capitalize(), LINE_TONES[line["outcome"]]), line["name"], line["detail"])
            for line in record.lines
        ]
        is_live = record.status in _LIVE
        return {
            "section": {
                "template": "backoffice/progress.html",
                "url": self.url_of(record),
                "is_live": is_live,
                "has_failed": record.status == CutoverRunStatus.FAILED,
                "done": len(record.lines) if is_live else 1,
                "all": _LINES if is_live else 1,
                "what": "lines",
                "said": record.get_status_display(),
                "panel": Panel("Lines", ("Result", "Line", "What was found"), rows, icon="checklist"),
            }
        }

    def page(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        return refresh_when_over(request, super().page(request, object_id))


def run_badge(record: CutoverRun) -> SafeString:
    return badge(record.get_status_display(), _TONES.get(record.status, "info"))
