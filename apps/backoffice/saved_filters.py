"""Filters of lists that a colleague keeps under a name: on each list, and all of them on one page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast
from uuid import UUID

from django import forms
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.urls import reverse

from apps.backoffice.models import SavedFilter
from apps.tenants.models import User

MOST_OF_A_LIST = 20
LONGEST_QUERY = 1000
# Besides the filters: the search and the order.
_ALSO = frozenset({"q", "o"})


class SavedFilterForm(forms.Form):
    """The name under which a filter is kept, and its address's query."""

    name = forms.CharField(max_length=60)
    query = forms.CharField(max_length=LONGEST_QUERY)


def user_of(request: HttpRequest) -> User:
    """The colleague, whom the page's operation has let in."""
    return cast("User", request.user)


def query_to_keep(query: str, parameters: Collection[str]) -> str:
    """Of the query what narrows or orders the list; which page of it was shown is left out."""
    asked = QueryDict(query)
    kept = QueryDict(mutable=True)
    for name in sorted(set(asked) & (set(parameters) | _ALSO)):
        if asked[name].strip():
            kept[name] = asked[name].strip()
    return kept.urlencode()


@transaction.atomic
def filter_keep(user: User, page: str, name: str, query: str) -> str:
    """Keep the filter, in the place of one of the same name; why not, in a sentence, where it can't be."""
    if not query:
        return "Set a filter or a search first, then save it."
    if len(query) > LONGEST_QUERY:
        return "This filter is too long to be saved."
    others = SavedFilter.objects.filter(user=user, page=page).exclude(name=name)
    if others.count() >= MOST_OF_A_LIST:
        return f"You have {MOST_OF_A_LIST} filters of this list. Remove one first."
    SavedFilter.objects.update_or_create(user=user, page=page, name=name, defaults={"query": query})
    return ""


def filter_remove(user: User, key: str) -> bool:
    """Remove one of the colleague's own filters; whether there was one."""
    try:
        return SavedFilter.objects.filter(user=user, pk=UUID(key)).delete()[0] > 0
    except ValueError:
        return False


def filters_of(request: HttpRequest, page: str, parameters: Collection[str]) -> list[tuple[str, str]]:
    """Name and query of the colleague's filters of the list. What the list has no more is left out: it would refuse."""
    kept = SavedFilter.objects.filter(user=user_of(request).pk, page=page).order_by("name")[:MOST_OF_A_LIST]
    return [(row.name, query_to_keep(row.query, parameters)) for row in kept]


def list_context(request: HttpRequest, page: str, parameters: Collection[str]) -> dict[str, Any]:
    """What the head of a list shows: the kept filters, and the one that is set now."""
    return {
        "saved_filters": filters_of(request, page, parameters),
        "filter_to_save": query_to_keep(request.GET.urlencode(), parameters),
        "saved_filters_url": reverse("admin:saved_filters"),
        "list_page": page,
    }
