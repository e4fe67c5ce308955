"""The page of one's own saved filters; lists send theirs to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from apps.backoffice.models import SavedFilter
from apps.backoffice.saved_filters import SavedFilterForm, filter_keep, filter_remove, query_to_keep, user_of
from apps.backoffice.staff import may, require_may
from apps.backoffice.staff_admin import StaffAdmin

OPERATION = "backoffice.read"


def saved_filters_page(request: HttpRequest, lists: Iterable[StaffAdmin[Any]]) -> HttpResponse:
    """Show one's filters of these lists; on POST keep one, or remove one. A form that says neither is shown again."""
    require_may(request, OPERATION)
    if request.POST.get("remove"):
        if filter_remove(user_of(request), request.POST["remove"]):
            messages.success(request, "The filter is removed.")
        return HttpResponseRedirect(reverse("admin:saved_filters"))
    pages = {page.route_prefix: page for page in lists if may(request, page.operation)}
    page, form = pages.get(request.POST.get("page", "")), SavedFilterForm(request.POST or None)
    if page is not None and form.is_valid():
        query = query_to_keep(form.cleaned_data["query"], _parameters(page))
        refused = filter_keep(user_of(request), page.route_prefix, form.cleaned_data["name"], query)
        if refused:
            messages.warning(request, refused)
        else:
            messages.success(request, f"The filter is saved as “{form.cleaned_data['name']}”. Only you see it.")
        url = reverse(f"admin:{page.route_prefix}_changelist")
        return HttpResponseRedirect(f"{url}?{query}" if query else url)
    rows = SavedFilter.objects.filter(user=user_of(request).pk, page__in=pages).order_by("page", "name")
    shown = [(row, pages[row.page].heading, _url(row, pages[row.page])) for row in rows]
    context = {**admin.site.each_context(request), "title": "Saved filters", "filters": shown}
    return TemplateResponse(request, "backoffice/saved_filters.html", context)


def _parameters(page: StaffAdmin[Any]) -> list[str]:
    return [name for declared in page.declared_filters() for name in declared.parameters]


def _url(row: SavedFilter, page: StaffAdmin[Any]) -> str:
    """The list with the filter, without what the list no longer has."""
    return f"{reverse(f'admin:{row.page}_changelist')}?{query_to_keep(row.query, _parameters(page))}"
