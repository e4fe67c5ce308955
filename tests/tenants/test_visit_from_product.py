"""Portal sessions: a product's link for one person to one workspace, and what a visit can and can't do (spec 02)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import MembershipRole, Role
from apps.core.ids import OrganizationId, ServiceTokenId, UserId
from apps.core.models import AuditEntry
from apps.core.operations import OPERATIONS
from apps.tenants.enums import LinkKind
from apps.tenants.models import (
    Membership,
    Organization,
    ProductRelation,
    ServiceToken,
    SignInLink,
    User,
    Workspace,
)
from apps.tenants.services import member_remove, service_token_revoke
from tests.contexts import console_context
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_signing_in_user,
    make_user,
    make_workspace,
)
from tests.markup import Page
from tests.tenants.visits import RETURN, Stage
from tests.tenants.visits import stage as stage  # noqa: PLC0414 - a fixture of this module

pytestmark = pytest.mark.django_db


def test_the_link_leads_to_the_workspace_once_and_shows_the_way_back(stage: Stage) -> None:
    path, client = stage.link(return_url=RETURN), Client()
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, stage.home)
    assert "no-store" in answer.headers["Cache-Control"]
    page = Page(client.get(stage.page).content.decode())
    assert RETURN in page.links()
    assert "Back to Red" in page.text
    assert reverse("account") not in page.links()
    assert Client().get(path).status_code == 410
    events = AuditEntry.objects.filter(organization_id=stage.organization.pk, event__startswith="portal_session.")
    assert sorted(events.values_list("event", "actor_label")) == [
        ("portal_session.begun", stage.user.email),
        ("portal_session.created", "red"),
    ]


@pytest.mark.parametrize("late", [timedelta(minutes=5), timedelta(days=1)])
def test_a_late_link_is_over(stage: Stage, late: timedelta) -> None:
    path = stage.link()
    with time_machine.travel(clock.now() + late):
        assert Client().get(path).status_code == 410
    assert Client().get(path).status_code == 302


def test_a_look_at_the_headers_or_a_post_uses_nothing_up(stage: Stage) -> None:
    path = stage.link()
    for method in ("HEAD", "POST", "OPTIONS", "PUT"):
        assert Client().generic(method, path).status_code == 405
    assert Client().get(path).status_code == 302


def _left(stage: Stage) -> None:
    make_membership(stage.organization, make_user(), MembershipRole.OWNER)
    member_remove(
        console_context(), organization_id=OrganizationId(stage.organization.pk), user_id=UserId(stage.user.pk)
    )


def _revoked(stage: Stage) -> None:
    token = ServiceToken.objects.get(prefix=stage.token[:12])
    service_token_revoke(console_context(), token_id=ServiceTokenId(token.pk), reason="leaked")


def _token_expired(stage: Stage) -> None:
    ServiceToken.objects.filter(prefix=stage.token[:12]).update(expires_at=clock.now())


def _unrelated(stage: Stage) -> None:
    ProductRelation.objects.filter(product=stage.product).delete()


def _closed(stage: Stage) -> None:
    Organization.objects.filter(pk=stage.organization.pk).update(closed_at=clock.now())


def _deactivated(stage: Stage) -> None:
    User.objects.filter(pk=stage.user.pk).update(is_active=False)


ENDS = [_left, _revoked, _token_expired, _unrelated, _closed, _deactivated]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_link_is_worth_nothing_once_it_would_not_be_given(stage: Stage, end: Callable[[Stage], None]) -> None:
    path = stage.link()
    end(stage)
    assert Client().get(path).status_code == 410
    assert not Session.objects.exists()
    assert SignInLink.objects.filter(used_at=None).count() == 1


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_visit_ends_at_once_when_it_would_not_be_given(stage: Stage, end: Callable[[Stage], None]) -> None:
    client = stage.visit()
    assert client.get(stage.page).status_code == 200
    end(stage)
    answer = client.get(stage.page)
    assert answer.status_code == 403
    assert RETURN in Page(answer.content.decode()).links()
    assert client.get(stage.page).headers["Location"].startswith(reverse("sign-in"))


def test_a_visit_lasts_an_hour(stage: Stage) -> None:
    client, begun = stage.visit(), clock.now()
    with time_machine.travel(begun + timedelta(minutes=59)):
        assert client.get(stage.page).status_code == 200
    with time_machine.travel(begun + timedelta(hours=1, seconds=5)):
        assert client.get(stage.page).status_code in {302, 403}
        assert client.get(stage.page).headers["Location"].startswith(reverse("sign-in"))


def test_nothing_but_the_workspace_is_there(stage: Stage) -> None:
    other = make_workspace(stage.organization, "Staging")
    elsewhere = make_workspace(make_organization("Elsewhere", owner=stage.user))
    demo = make_workspace(make_organization("Demo", is_demo=True))
    client = stage.visit()
    for workspace in (other, elsewhere, demo):
        for name in ("billing-workspace", "billing-settings", "billing-credits"):
            assert client.get(reverse(name, args=[workspace.slug])).status_code == 404, workspace
        assert workspace.slug not in client.get(stage.page).content.decode()
    assert client.get(reverse("billing-home")).headers["Location"] == stage.home
    assert client.get(reverse("billing-home") + "?all=1").headers["Location"] == stage.home
    for name in ("admin:index", "admin:login", "admin:enrol", "admin:second_factor", "google-authorize"):
        assert client.get(reverse(name)).status_code == 404, name
    job = reverse("job-run", args=["billing-sync"])
    assert client.post(job, {"organization_id": str(stage.organization.pk)}, "application/json").status_code == 404


def test_the_account_cant_be_changed(stage: Stage) -> None:
    client, password = stage.visit(), stage.user.password
    assert client.get(reverse("account")).status_code == 403
    new = {"new_password1": "three-words-and-a-river", "new_password2": "three-words-and-a-river"}
    assert client.post(reverse("account"), new).status_code == 403
    stage.user.refresh_from_db()
    assert stage.user.password == password


def test_credentials_cant_be_changed_though_the_person_is_an_owner(stage: Stage) -> None:
    Workspace.objects.filter(pk=stage.workspace.pk).update(manual_lifecycle_state="active", manual_lifecycle_reason="t")
    client, own = stage.visit(), Client()
    own.force_login(stage.user)
    new = reverse("billing-connector-new", args=[stage.workspace.slug])
    assert own.get(new).status_code == 200
    entries = AuditEntry.objects.count()
    assert client.get(new).status_code == 403
    assert client.post(new, {"provider": "stripe", "name": "New", "api_key": "x" * 20}).status_code == 403
    assert AuditEntry.objects.count() == entries
    assert client.get(reverse("billing-connectors", args=[stage.workspace.slug])).status_code == 200


def test_what_a_visit_may_not_do_names_all_that_concerns_members_and_credentials() -> None:
    kinds = ("member.", "members.", "credentials.", "users.", "tokens.", "account.", "owners.")
    of_tenants = {name for name, operation in OPERATIONS.items() if operation.tenant_role is not None}
    changes = {name for name in of_tenants if name.startswith(kinds) and not name.endswith(".read")}
    refused = {name for name, operation in OPERATIONS.items() if not operation.allowed_in_visit}
    assert changes <= refused
    # Who gets mails about the organization is theirs alone to say, too.
    mails = {"notices.change", "balance_alerts.change", "daily_reports.recipients", "billing_email.change"}
    assert refused == {"member.invite", "members.change", "connector.edit", "connector.credential", *mails}


def test_somebody_elses_session_is_not_replaced(stage: Stage) -> None:
    path, client, other = stage.link(), Client(), make_signing_in_user()
    client.force_login(other)
    answer = client.get(path)
    assert answer.status_code == 409
    assert stage.user.email not in answer.content.decode()
    assert client.session["_auth_user_id"] == str(other.pk)
    assert client.post(reverse("sign-out"), {"next": path}).headers["Location"] == path
    assert client.get(path).status_code == 302


def test_ones_own_session_keeps_its_rights_and_gets_the_way_back(stage: Stage) -> None:
    client = Client()
    client.force_login(stage.user)
    assert client.get(stage.link(return_url=RETURN)).headers["Location"] == stage.home
    page = Page(client.get(stage.page).content.decode())
    assert {RETURN, reverse("account")} <= set(page.links())
    assert client.get(reverse("account")).status_code == 200


def test_a_mailed_link_and_a_products_link_are_not_taken_for_one_another(stage: Stage) -> None:
    token = stage.link().split("/")[-2]
    assert Client().post(reverse("sign-in-link", args=[token])).status_code == 404
    assert SignInLink.objects.filter(kind=LinkKind.PORTAL, used_at=None).count() == 1
    assert Client().get(reverse("portal-session", args=["chl_" + "A" * 43])).status_code == 404


def test_a_person_with_a_platform_role_visits_as_a_member_alone(stage: Stage) -> None:
    from tests.factories.tenants import make_staff  # noqa: PLC0415 - of this test alone

    staff = make_staff(Role.PLATFORM_ADMIN)
    Membership.objects.filter(user=stage.user).update(role=MembershipRole.OWNER)
    make_membership(stage.organization, staff, MembershipRole.VIEWER)
    stage.user = staff
    client = stage.visit()
    assert client.get(stage.page).status_code == 200
    assert client.post(stage.page, {"time_zone": "Asia/Tokyo"}).status_code == 403
    assert client.get(reverse("admin:index")).status_code == 404
