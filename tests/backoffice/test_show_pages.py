"""The pages of the site, and what each has to have. `tests/access/test_staff_plane.py` asks who may see each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from apps.backoffice.registry import PAGES, registered_pages
from apps.backoffice.site import StaffSite, declared_routes
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import Verb
from apps.core.enums import Role
from apps.core.operations import OPERATIONS, reaches
from tests.backoffice.people import client_of, enrol
from tests.factories.tenants import PASSWORD, make_staff

pytestmark = pytest.mark.django_db

ROLES = (Role.SUPPORT, Role.BILLING_OPERATIONS, Role.PLATFORM_ADMIN)


@pytest.mark.slow
def test_site_pages_answer_each_role() -> None:
    for role in ROLES:
        client = client_of(role)
        for route in ("index", "jobs", "password_change", "jsi18n"):
            assert client.get(reverse(f"admin:{route}")).status_code == 200
        expected = 403 if role is Role.SUPPORT else 200
        assert client.get(reverse("admin:run_job", args=("drain-outbox",))).status_code == expected


def test_who_gave_the_password_alone_is_led_to_the_sign_in() -> None:
    half, staff = Client(), make_staff(Role.PLATFORM_ADMIN)
    enrol(staff)
    half.post(reverse("admin:login"), {"username": staff.email, "password": PASSWORD})
    for url in (reverse("admin:index"), reverse("admin:tenants_user_changelist")):
        answer = half.get(url)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(reverse("admin:login"))


def test_the_page_script_of_a_lost_session_is_sent_to_the_sign_in() -> None:
    answer = Client().get(reverse("admin:search"), {"s": "x"}, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == reverse("admin:login")
    assert answer.content == b""


def test_an_unknown_record_and_an_unknown_address_are_not_found() -> None:
    client = client_of(Role.SUPPORT)
    for page in registered_pages():
        missing = reverse(f"admin:{page.route_prefix}_change", args=("00000000-0000-4000-8000-000000000000",))
        assert client.get(missing).status_code == 404 or not reaches(
            Role.SUPPORT, OPERATIONS[page.operation].platform_role
        )
    assert client.get("/admin/auth/group/").status_code == 404
    assert client.get("/admin/nothing/here/").status_code == 404


def test_the_site_is_ours_and_holds_nothing_of_others() -> None:
    assert isinstance(admin.site, StaffSite) or type(admin.site._wrapped) is StaffSite  # type: ignore[attr-defined]
    assert set(admin.site._registry) == set(PAGES)
    assert all(isinstance(page, StaffAdmin) for page in admin.site._registry.values())


def test_every_route_is_declared_with_a_known_operation() -> None:
    declared = declared_routes()
    assert set(_names(admin.site.get_urls())) == set(declared)
    assert {operation for operation in declared.values() if operation} <= set(OPERATIONS)


def _names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _names(pattern.url_patterns)
        elif pattern.name is not None:
            yield pattern.name


def test_every_verb_is_a_dialog_that_asks_for_a_reason() -> None:
    for page in registered_pages():
        for kind in ("actions_row", "actions_list", "actions_detail", "actions_submit_line", "actions"):
            assert not getattr(page, kind), "a verb that is no dialog would be a link that changes something"
        for verb in page.verbs:
            assert isinstance(verb, Verb)
            assert verb.label
            assert verb.form_class.base_fields["reason"].required


def test_guarded_pages_are_never_stored_and_loosen_the_policy_for_scripts_and_styles_alone() -> None:
    client = client_of(Role.SUPPORT)
    for url in (reverse("admin:index"), reverse("admin:tenants_organization_changelist"), reverse("admin:jobs")):
        answer = client.get(url)
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["script-src"] == "'self' 'unsafe-eval'"
        assert policy["style-src"] == "'self' 'unsafe-inline'"
        assert policy["default-src"] == "'self'"
        assert "no-store" in answer.headers["Cache-Control"]
    for url in ("/admin/nothing/", reverse("admin:tenants_servicetoken_changelist")):
        answer = client.get(url)
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]
