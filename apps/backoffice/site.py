"""The admin site: its own routes, and the guard of every page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, cast

from csp.decorators import csp_replace
from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.views.decorators.http import require_http_methods, require_safe
from unfold.dataclasses import SearchResult

from apps.backoffice.dashboard import dashboard
from apps.backoffice.list_files import EXPORT_OPERATION
from apps.backoffice.navigation import sidebar
from apps.backoffice.pages.daily_reports import daily_report_routes
from apps.backoffice.pages.funnel import funnel_page
from apps.backoffice.pages.inbox import kept_events_page
from apps.backoffice.pages.jobs import job_routes
from apps.backoffice.pages.report_mail import report_mail_page
from apps.backoffice.pages.reports import organization_books_page, reports_page
from apps.backoffice.pages.revenue import revenue_file, revenue_page
from apps.backoffice.pages.saved_filters import saved_filters_page
from apps.backoffice.pages.tasks import task_routes
from apps.backoffice.registry import registered_pages
from apps.backoffice.search.results import OF_CUSTOMERS, search_customers
from apps.backoffice.search.terms import read_term
from apps.backoffice.sign_in.account import change_password, second_factor_settings
from apps.backoffice.sign_in.views import sign_in_routes
from apps.backoffice.staff import may, require_may, viewer_of
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import is_of_page_script

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as ThemedAdminSite
else:
    from unfold.sites import UnfoldAdminSite as ThemedAdminSite

View = Callable[..., HttpResponseBase]
ENTER = "backoffice.read"
RESULTS_A_KIND = 5
# One character would find the beginnings of half the table.
SHORTEST_TERM = 2

# Routes of the site itself, by what they need. `None`: before, or without, being somebody.
SITE_ROUTES: dict[str, str | None] = {
    "login": None,
    "second_factor": None,
    "recover": None,
    "enrol": None,
    "oidc_begin": None,
    "oidc_callback": None,
    "logout": None,
    "index": ENTER,
    "search": ENTER,
    "jobs": "jobs.read",
    # The dialog's own gate; each job has a narrower one of its own.
    "run_job": "jobs.start",
    "decide_task": "tasks.decide",
    "funnel": "billing_events.read",
    "kept_events": "webhook_events.read",
    "saved_filters": ENTER,
    "report_mail": "daily_reports.subscribe",
    "reports": "books.read",
    "revise_report": "daily_reports.revise",
    "tenants_organization_reports": "books.read",
    "tenants_organization_revise_report": "daily_reports.revise",
    "tenants_organization_books": "books.read",
    "revenue": "revenue.read",
    "revenue_file": "revenue.read",
    "password_change": ENTER,
    "second_factor_settings": ENTER,
    "jsi18n": ENTER,
}


class StaffSite(ThemedAdminSite):
    """Admits staff with a platform role and a verified second factor; redirects everyone else to the sign-in."""

    site_title = "Countinghouse"
    site_header = "Countinghouse"
    index_title = "Overview"
    index_template = "backoffice/dashboard.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return viewer_of(request) is not None

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Guard with `no-store`, and a content policy that allows `eval`, which Unfold needs (spec 12)."""
        guarded = super().admin_view(view)
        loosened = cast("View", csp_replace(settings.ADMIN_CONTENT_SECURITY_POLICY)(guarded))

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if is_of_page_script(request) and not self.has_permission(request):
                # The page's script would put the sign-in into a corner of the page.
                return HttpResponse(headers={"HX-Redirect": reverse("admin:login")})
            return loosened(request, *args, **kwargs)

        return update_wrapper(inner, view)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        guarded = self.admin_view
        password = require_http_methods(["GET", "POST"])(change_password)
        second_factor = require_http_methods(["GET", "POST"])(second_factor_settings)
        saved = require_http_methods(["GET", "POST"])(lambda request: saved_filters_page(request, registered_pages()))
        own = [
            *sign_in_routes(),
            path("", guarded(require_safe(self.index)), name="index"),
            path("search/", guarded(require_safe(self.search)), name="search"),
            path("password/", guarded(password), name="password_change"),
            path("second-factor/", guarded(second_factor), name="second_factor_settings"),
            path("jsi18n/", guarded(self.i18n_javascript), name="jsi18n"),
            *job_routes(guarded),
            *task_routes(guarded),
            path("funnel/", guarded(require_safe(funnel_page)), name="funnel"),
            path("report-mail/", guarded(require_http_methods(["GET", "POST"])(report_mail_page)), name="report_mail"),
            path("saved-filters/", guarded(saved), name="saved_filters"),
            path("reports/", guarded(require_safe(reports_page)), name="reports"),
            *daily_report_routes(guarded),
            path(
                "reports/<uuid:object_id>/",
                guarded(require_safe(organization_books_page)),
                name="tenants_organization_books",
            ),
            path("revenue/", guarded(require_safe(revenue_page)), name="revenue"),
            path("revenue/revenue.csv", guarded(require_safe(revenue_file)), name="revenue_file"),
            path("kept-events/", guarded(require_safe(kept_events_page)), name="kept_events"),
        ]
        pages = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", include(page.get_urls()))
            for model, page in self._registry.items()
        ]
        # The last one is guarded too: a stranger can't find out which addresses there are.
        return [*own, *pages, path("<path:url>", guarded(self.catch_all_view))]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        viewer = viewer_of(request)
        return {**super().each_context(request), "viewer_role": viewer.role.label if viewer else ""}

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Empty: the sidebar is our own, and apps have no pages."""
        return []

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**dashboard(request), **(extra_context or {})})

    def search(self, request: HttpRequest) -> HttpResponse:
        """The command palette. Not Unfold's view: it caches results, which would outlive a change of role."""
        require_may(request, ENTER)
        term = request.GET.get("s", "").strip()
        if not term:
            return HttpResponse()
        pages = Paginator(search_results(request, term), 100)
        context = {"page_obj": pages, "results": pages.page(1), "page_counter": 0}
        return TemplateResponse(request, "backoffice/search_results.html", context, headers={"HX-Trigger": "search"})


def declared_routes() -> dict[str, str | None]:
    """Every route of the staff plane with the operation that it needs; None for routes without a sign-in.

    The access test compares this with the URL configuration (spec 02).
    """
    declared = dict(SITE_ROUTES)
    for page in registered_pages():
        declared[f"{page.route_prefix}_changelist"] = page.operation
        declared[f"{page.route_prefix}_change"] = page.operation
        declared |= {f"{page.route_prefix}_{verb.name}": verb.operation for verb in page.verbs}
        declared |= page.further_routes()
        if page.file_columns:
            declared[f"{page.route_prefix}_list_file"] = EXPORT_OPERATION
    return declared


def search_results(request: HttpRequest, typed: str) -> list[SearchResult]:
    """Return pages first, then customers, then the first records of each further kind that the user may read."""
    results = list(_pages(request, typed))
    term = read_term(typed)
    if len(term.text) < SHORTEST_TERM:
        return results
    results.extend(search_customers(request, term))
    for page in registered_pages():
        if page.model not in OF_CUSTOMERS and may(request, page.operation):
            results.extend(_records(request, page, term.text))
    return results


def _pages(request: HttpRequest, term: str) -> Iterator[SearchResult]:
    for group in sidebar(request):
        for item in group["items"]:
            if term.lower() in item["title"].lower():
                yield SearchResult(item["title"], group["title"] or "Start", item["link"], item["icon"])


def _records(request: HttpRequest, page: StaffAdmin[Any], term: str) -> Iterator[SearchResult]:
    found, _ = page.get_search_results(request, page.get_queryset(request), term)
    for record in found.order_by(*page.get_ordering(request))[:RESULTS_A_KIND]:
        kind = str(page.opts.verbose_name)
        yield SearchResult(page.title_of(record), kind, page.url_of(record), page.icon)
