"""Cursor pages show every row once, in order, whatever is added meanwhile (spec 08, Internal API)."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as some
from pytest_django import DjangoAssertNumQueries
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.core.errors import MalformedRequestError, UnprocessableError
from apps.core.wire import pagination
from apps.core.wire.pagination import LARGEST_LIMIT, page_of, page_request
from apps.tenants.models import User


def request(**query: Any) -> Request:
    return Request(APIRequestFactory().get("/entries", query))


def make(count: int) -> None:
    # Few names, so that the first column of the key is full of ties.
    User.objects.bulk_create(
        User(email=f"user{number}@example.com", name=f"name {number % 3}") for number in range(count)
    )


def walk(limit: int, *, newest_first: bool) -> list[User]:
    found: list[User] = []
    cursor: str | None = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = page_of(
            User.objects.all(), page_request(request(**query), "users"), ("name", "id"), newest_first=newest_first
        )
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.django_db
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 5, 19, 20, 21])
def test_every_row_comes_once_in_order(limit: int, newest_first: bool) -> None:
    make(20)
    order = ("-name", "-id") if newest_first else ("name", "id")
    assert walk(limit, newest_first=newest_first) == list(User.objects.order_by(*order))


@pytest.mark.django_db
def test_rows_added_before_the_cursor_move_nothing() -> None:
    make(6)
    first = page_of(User.objects.all(), page_request(request(limit=3), "users"), ("email",))
    User.objects.create(email="zz@example.com", name="late")
    second = page_of(User.objects.all(), page_request(request(limit=3, cursor=first.next_cursor), "users"), ("email",))
    assert [user.email for user in first.items + second.items] == [f"user{n}@example.com" for n in range(5, -1, -1)]
    assert second.next_cursor is None


@pytest.mark.django_db
def test_a_page_is_one_query_without_a_count(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make(5)
    with django_assert_num_queries(1) as queries:
        page_of(User.objects.all(), page_request(request(limit=2), "users"), ("name", "id"))
    assert "COUNT" not in queries[0]["sql"]
    assert "OFFSET" not in queries[0]["sql"]


@pytest.mark.parametrize("limit", ["", "x", "1.0", "-1", "1_0", "\uff11\uff10", "9" * 30, " 1"])
def test_a_malformed_limit_is_400(limit: str) -> None:
    with pytest.raises(MalformedRequestError):
        page_request(request(limit=limit), "users")


@pytest.mark.parametrize("limit", [0, LARGEST_LIMIT + 1])
def test_an_impossible_limit_is_422(limit: int) -> None:
    with pytest.raises(UnprocessableError):
        page_request(request(limit=limit), "users")


SEALED = signing.dumps(["users", "a"], salt="apps.core.wire.pagination")
FORGED = ["", "x", "a:b:c", SEALED[:-1], f"{SEALED}x", signing.dumps(["users", "a"], salt="other"), "é"]
WRONG_SHAPE = [[], "users", 5, {"users": 1}, ["entries", "a"], [None]]


NOT_OURS = [*FORGED, *(signing.dumps(shape, salt=pagination._SALT) for shape in WRONG_SHAPE)]


@pytest.mark.parametrize("cursor", NOT_OURS, ids=range(len(NOT_OURS)))
def test_a_cursor_that_we_did_not_make_for_this_list_is_400(cursor: str) -> None:
    with pytest.raises(MalformedRequestError) as caught:
        page_request(request(cursor=cursor), "users")
    assert [(error.field, error.code) for error in caught.value.errors] == [("cursor", "bad_cursor")]


@pytest.mark.django_db
@pytest.mark.parametrize("after", [["x"], ["a", "not-a-uuid"], ["a", "b", "c"], []])
def test_a_cursor_of_another_key_is_400(after: list[str]) -> None:
    cursor = signing.dumps(["users", *after], salt=pagination._SALT)
    with pytest.raises(MalformedRequestError):
        page_of(User.objects.all(), page_request(request(cursor=cursor), "users"), ("name", "id"))


@given(some.text(max_size=60))
def test_no_text_breaks_the_cursor(text: str) -> None:
    with pytest.raises(MalformedRequestError):
        page_request(request(cursor=text.encode("utf-8", "replace").decode()), "users")
