"""Our admin site: its doors, its own routes, and the rules that hold for each of its pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, cast

from csp.decorators import csp_replace
from django.conf import settings
from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.backoffice.actions import is_of_page_script
from apps.backoffice.staff import require_may, viewer_of

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as ThemedAdminSite
else:
    from unfold.sites import UnfoldAdminSite as ThemedAdminSite

View = Callable[..., HttpResponseBase]
ENTER = "backoffice.read"

# Routes of the site itself, by what they need. `None`: before, or without, being somebody.
SITE_ROUTES: dict[str, str | None] = {
    "login": None,
    "second_factor": None,
    "recover": None,
    "enrol": None,
    "logout": None,
    "index": ENTER,
    "search": ENTER,
    "jobs": "jobs.read",
    # The dialog's own gate; each job has a narrower one of its own.
    "run_job": "jobs.start",
    "funnel": "billing_events.read",
    "password_change": ENTER,
    "second_factor_settings": ENTER,
    "jsi18n": ENTER,
}


class StaffSite(ThemedAdminSite):
    """The staff plane. Only verified staff with a platform role pass; everyone else is led to the sign-in."""

    site_title = "Countinghouse"
    site_header = "Countinghouse"
    index_title = "Overview"
    index_template = "backoffice/dashboard.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return viewer_of(request) is not None

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Django's guard, and: never stored, and scripts may evaluate expressions, as Unfold's do (spec 12)."""
        guarded = super().admin_view(view)
        loosened = cast("View", csp_replace(settings.ADMIN_CONTENT_SECURITY_POLICY)(guarded))

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if is_of_page_script(request) and not self.has_permission(request):
                # The page's script would put the sign-in into a corner of the page.
                return HttpResponse(headers={"HX-Redirect": reverse("admin:login")})
            return loosened(request, *args, **kwargs)

        return update_wrapper(inner, view)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        # The pages and the sign-in import records, which exist only once every app is loaded.
        from apps.backoffice.pages.funnel import funnel_page  # noqa: PLC0415
        from apps.backoffice.pages.jobs import job_routes  # noqa: PLC0415
        from apps.backoffice.sign_in.routes import sign_in_routes  # noqa: PLC0415

        guarded = self.admin_view
        password = require_http_methods(["GET", "POST"])(self.change_own_password)
        second_factor = require_http_methods(["GET", "POST"])(self.second_factor_settings)
        own = [
            *sign_in_routes(),
            path("", guarded(require_safe(self.index)), name="index"),
            path("search/", guarded(require_safe(self.search)), name="search"),
            path("password/", guarded(password), name="password_change"),
            path("second-factor/", guarded(second_factor), name="second_factor_settings"),
            path("jsi18n/", guarded(self.i18n_javascript), name="jsi18n"),
            *job_routes(guarded),
            path("funnel/", guarded(require_safe(funnel_page)), name="funnel"),
        ]
        pages = [
            path(f"{model._meta.app_label}/{model._meta.model_name}/", include(page.get_urls()))
            for model, page in self._registry.items()
        ]
        return [*own, *pages, path("<path:url>", guarded(self.catch_all_view))]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        viewer = viewer_of(request)
        return {**super().each_context(request), "viewer_role": viewer.role.label if viewer else ""}

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Nothing: the sidebar is our own, and there is no page an app."""
        return []

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from apps.backoffice.dashboard import dashboard  # noqa: PLC0415 - imports records

        return super().index(request, {**dashboard(request), **(extra_context or {})})

    def search(self, request: HttpRequest) -> HttpResponse:
        """The command palette. Unfold's own keeps results for minutes, past a change of role; this one asks anew."""
        from apps.backoffice.search import search_results  # noqa: PLC0415 - imports records

        require_may(request, ENTER)
        term = request.GET.get("s", "").strip()
        if not term:
            return HttpResponse()
        pages = Paginator(search_results(request, term), 100)
        context = {"page_obj": pages, "results": pages.page(1), "page_counter": 0}
        return TemplateResponse(request, "backoffice/search_results.html", context, headers={"HX-Trigger": "search"})

    def change_own_password(self, request: HttpRequest) -> HttpResponse:
        """Everyone's own password; Django's view for it leaves no trace in the audit log."""
        from apps.backoffice.sign_in.password_change import change_password  # noqa: PLC0415 - imports records

        return change_password(request, self.each_context(request))

    def second_factor_settings(self, request: HttpRequest) -> HttpResponse:
        """Everyone's own recovery codes."""
        from apps.backoffice.sign_in.account import second_factor_settings  # noqa: PLC0415 - imports records

        return second_factor_settings(request)


def staff_site() -> StaffSite:
    """The one site."""
    return cast("StaffSite", admin.site)
