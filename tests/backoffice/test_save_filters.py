"""A colleague keeps filters of lists under names, for themselves alone."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice import saved_filters
from apps.backoffice.models import SavedFilter
from apps.backoffice.saved_filters import query_to_keep
from apps.core.enums import Role
from tests.backoffice.people import client_of

LIST, PAGE = "admin:tenants_workspace_changelist", "admin:saved_filters"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("grace=yes&p=3", "grace=yes"),
        ("o=-1&q=north&lifecycle=", "o=-1&q=north"),
        ("grace=+yes+&grace=no", "grace=no"),
        ("password__startswith=a&__proto__=1", ""),
        ("%ff=%00&q=%20", ""),
        ("", ""),
    ],
)
@pytest.mark.slow
def test_what_narrows_or_orders_the_list_is_kept_and_nothing_else(query: str, kept: str) -> None:
    assert query_to_keep(query, ["grace", "lifecycle"]) == kept


def save(client: Client, name: str, query: str = "grace=yes", page: str = "tenants_workspace") -> str:
    answer = client.post(reverse(PAGE), {"page": page, "name": name, "query": query}, follow=True)
    return answer.content.decode()


@pytest.mark.django_db
def test_a_filter_is_saved_shown_on_its_list_and_removed() -> None:
    client, colleague = client_of(Role.SUPPORT), client_of(Role.SUPPORT)
    assert "Save filter" not in client.get(reverse(LIST)).content.decode()
    body = client.get(reverse(LIST), {"grace": "yes", "p": "0"}).content.decode()
    assert '<input type="hidden" name="query" value="grace=yes">' in body
    assert "The filter is saved as “In <b>grace”. Only you see it." not in save(client, "In <b>grace")
    body = client.get(reverse(LIST)).content.decode()
    assert '<a class="ch-button" href="?grace=yes">' in body
    assert "In &lt;b&gt;grace" in body
    assert "In &lt;b&gt;grace" not in colleague.get(reverse(LIST)).content.decode()
    assert "In &lt;b&gt;grace" not in client.get(reverse("admin:tenants_organization_changelist")).content.decode()
    # The same name is the same filter.
    save(client, "In <b>grace", "grace=no")
    kept = SavedFilter.objects.get()
    assert kept.query == "grace=no"
    colleague.post(reverse(PAGE), {"remove": str(kept.pk)})
    assert SavedFilter.objects.count() == 1
    assert f'value="{kept.pk}"' in client.get(reverse(PAGE)).content.decode()
    assert "The filter is removed." in client.post(reverse(PAGE), {"remove": kept.pk}, follow=True).content.decode()
    assert SavedFilter.objects.count() == 0
    client.post(reverse(PAGE), {"remove": "nonsense"})


@pytest.mark.django_db
def test_what_can_not_be_kept_is_refused_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(Role.SUPPORT)
    assert "Set a filter or a search first" in save(client, "Everything", "p=2")
    assert "too long to be saved" in save(client, "Long once it is encoded", "q=" + "ö" * 900)
    assert "No filter yet." in save(client, "x" * 61)
    assert "No filter yet." in save(client, "")
    assert "No filter yet." in save(client, "Nowhere", page="tenants_nothing")
    # A list that the colleague may not see.
    assert "No filter yet." in save(client, "Tokens", "revoked=yes", page="tenants_servicetoken")
    monkeypatch.setattr(saved_filters, "MOST_OF_A_LIST", 1)
    save(client, "One")
    assert "You have 1 filters of this list. Remove one first." in save(client, "Two")
    assert [kept.name for kept in SavedFilter.objects.all()] == ["One"]


@pytest.mark.django_db
def test_a_saved_filter_outlives_a_filter_that_its_list_no_longer_has() -> None:
    client = client_of(Role.SUPPORT)
    save(client, "In grace")
    SavedFilter.objects.update(query="gone=1&grace=yes")
    assert client.get(f"{reverse(LIST)}?gone=1&grace=yes").status_code == 400
    assert '<a class="ch-button" href="?grace=yes">' in client.get(reverse(LIST)).content.decode()
    assert f'href="{reverse(LIST)}?grace=yes"' in client.get(reverse(PAGE)).content.decode()
