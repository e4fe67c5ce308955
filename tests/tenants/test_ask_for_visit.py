"""POST portal-sessions: whom a product may send here, and where the way back may lead (spec 02, spec 09)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.enums import Scope
from apps.core.models import AuditEntry
from apps.tenants.models import (
    Organization,
    SignInLink,
    User,
)
from tests.factories.tenants import (
    make_organization,
    make_token,
    make_user,
    make_workspace,
)
from tests.tenants.visits import RETURN, Stage
from tests.tenants.visits import stage as stage  # noqa: PLC0414 - a fixture of this module

pytestmark = pytest.mark.django_db


def test_the_answer_says_until_when_and_no_cache_keeps_it(stage: Stage) -> None:
    answer = stage.ask()
    link = SignInLink.objects.get()
    assert set(answer.json()) == {"url", "expires_at"}
    assert link.expires_at - link.created_at == timedelta(minutes=5)
    assert "no-store" in answer.headers["Cache-Control"]
    token = answer.json()["url"].split("/")[-2]
    assert token not in repr([*SignInLink.objects.values(), *AuditEntry.objects.values()])


def refusals(stage: Stage) -> list[tuple[dict[str, object], int, str]]:
    stranger, foreign = make_user(), make_workspace(make_organization("Foreign"))
    nobody = "7c2b6a0e-93f4-4b1c-8f27-3f0f2d6f1a55"
    return [
        ({"user_id": str(stranger.pk)}, 403, "not_a_member"),
        ({"user_id": nobody}, 403, "not_a_member"),
        ({"workspace_id": str(foreign.pk)}, 403, "product_not_related"),
        ({"workspace_id": nobody}, 404, "not_found"),
        ({"workspace_id": "x"}, 400, "malformed_request"),
        ({"role": "owner"}, 400, "malformed_request"),
        ({"return_url": "http://app.example.com/"}, 422, "return_url_not_registered"),
        ({"return_url": "https://evil.example.com/"}, 422, "return_url_not_registered"),
        ({"return_url": "https://app.example.com.evil.example/"}, 422, "return_url_not_registered"),
        ({"return_url": "https://app.example.com@evil.example/"}, 422, "return_url_not_registered"),
        ({"return_url": "https://evil.example\\@app.example.com/"}, 422, "return_url_not_registered"),
        ({"return_url": "https://app.example.com:444/"}, 422, "return_url_not_registered"),
        ({"return_url": "https:app.example.com/"}, 422, "return_url_not_registered"),
        ({"return_url": "//app.example.com/"}, 422, "return_url_not_registered"),
        ({"return_url": "javascript:alert(1)//https://app.example.com"}, 422, "return_url_not_registered"),
        ({"return_url": "https://app.example.com /"}, 422, "return_url_not_registered"),
        ({"return_url": "https://äpp.example.com/"}, 422, "return_url_not_registered"),
        ({"return_url": "https://app.example.com/\n"}, 400, "malformed_request"),
        ({"return_url": ""}, 422, "impossible_value"),
        ({"return_url": 7}, 400, "malformed_request"),
    ]


def test_what_is_refused_makes_no_link(stage: Stage) -> None:
    entries = AuditEntry.objects.count()
    cases = refusals(stage)
    entries = AuditEntry.objects.count()
    found = [(answer.status_code, answer.json()["code"]) for body, _, _ in cases for answer in [stage.ask(**body)]]
    assert found == [(status, code) for _, status, code in cases]
    assert (SignInLink.objects.count(), AuditEntry.objects.count()) == (0, entries)
    not_a_member = stage.ask(user_id=str(make_user().pk)).json()
    assert not_a_member["explanation"][0]["rule"] == "membership"


@pytest.mark.parametrize(
    "url", [RETURN, "https://APP.example.com", "https://app.example.com:443/x", "https://eu.example.com:8443/?a=%20"]
)
def test_registered_hosts_may_be_returned_to(stage: Stage, url: str) -> None:
    assert stage.ask(return_url=url).status_code == 201


def test_a_closed_organization_and_a_deactivated_person_are_not_visited(stage: Stage) -> None:
    Organization.objects.filter(pk=stage.organization.pk).update(closed_at=clock.now())
    assert stage.ask().json()["code"] == "organization_closed"
    Organization.objects.filter(pk=stage.organization.pk).update(closed_at=None)
    User.objects.filter(pk=stage.user.pk).update(is_active=False)
    assert stage.ask().json()["code"] == "account_deactivated"
    assert not SignInLink.objects.exists()


def test_a_token_without_the_scope_is_refused(stage: Stage) -> None:
    stage.token = make_token(stage.product, Scope.MEMBERS_READ)
    assert stage.ask().json()["code"] == "not_allowed"
