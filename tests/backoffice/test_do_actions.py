"""Each verb calls its service with the reason and the acting role; a denied one changes nothing."""

from __future__ import annotations

import itertools

import pytest
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.registry import registered_pages
from apps.core.enums import Role
from apps.core.models import AuditEntry, JobRun, OutboxItem
from apps.core.operations import OPERATIONS, reaches
from apps.core.states import OutboxStatus
from apps.tenants.models import ProductRelation, ServiceToken, SignInLink
from apps.tenants.tokens import hash_token
from tests.backoffice.people import client_of, enrol, sign_in
from tests.backoffice.records import MAKERS, make_outbox_item
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_product,
    make_staff,
    make_token,
    make_user,
)
from tests.tenants.mailbox import link_sent_to

pytestmark = pytest.mark.django_db

SCRIPT = {"HX-Request": "true"}
WHY = "ticket 4711"


def act(client: Client, route: str, key: object, **fields: object) -> str:
    """Post a dialog as the page's script does; answers where it leads, or the dialog's text when it stays."""
    answer = client.post(reverse(f"admin:{route}", args=(key,)), {"reason": WHY, **fields}, headers=SCRIPT)
    assert answer.status_code == 200
    return answer.headers.get("HX-Redirect", answer.content.decode())


def only_entry(event: str) -> AuditEntry:
    return AuditEntry.objects.get(event=event, reason=WHY)


@pytest.mark.slow
def test_revoking_a_token() -> None:
    make_token(make_product())
    token = ServiceToken.objects.get()
    url = act(client_of(Role.PLATFORM_ADMIN), "tenants_servicetoken_revoke", token.pk)
    assert url == reverse("admin:tenants_servicetoken_change", args=(token.pk,))
    token.refresh_from_db()
    assert token.revoked_at is not None
    entry = only_entry("service_token.revoked")
    assert (entry.role, entry.authorization_source) == ("platform_admin", "session")


def test_a_sign_in_link_is_mailed_with_a_reason_and_a_role() -> None:
    user = make_user()
    url = act(client_of(Role.BILLING_OPERATIONS), "tenants_user_send_sign_in_link", user.pk)
    assert url == reverse("admin:tenants_user_change", args=(user.pk,))
    assert only_entry("user.sign_in_link_sent").role == "billing_operations"
    assert link_sent_to(user.email).startswith("/sign-in/link/")


def test_an_invitation_is_mailed_again_and_the_one_before_is_replaced() -> None:
    user = make_user()
    make_membership(make_organization(), user)
    client = client_of(Role.BILLING_OPERATIONS)
    for _ in range(2):
        act(client, "tenants_user_send_invitation", user.pk)
    assert [link.replaced_at is None for link in SignInLink.objects.order_by("created_at")] == [False, True]
    assert AuditEntry.objects.filter(event="user.sign_in_link_sent", reason=WHY).count() == 2


@pytest.mark.parametrize("verb", ["send_sign_in_link", "send_invitation"])
def test_no_link_is_mailed_to_staff_or_by_support(verb: str) -> None:
    route, staff, user = f"tenants_user_{verb}", make_staff(), make_user()
    assert "staff account" in act(client_of(Role.BILLING_OPERATIONS), route, staff.pk)
    support = client_of(Role.SUPPORT)
    assert support.post(reverse(f"admin:{route}", args=(user.pk,)), {"reason": WHY}).status_code == 403
    assert not SignInLink.objects.exists()


def test_return_hosts_are_saved_with_a_reason_and_what_is_no_host_is_told_in_the_dialog() -> None:
    product, client = make_product(), client_of(Role.PLATFORM_ADMIN)
    route = "tenants_product_change_return_hosts"
    assert "is no host" in act(client, route, product.pk, hosts="app.example.com\nhttps://evil.example/")
    act(client, route, product.pk, hosts="app.example.com\r\n eu.example.com ")
    product.refresh_from_db()
    assert product.hosts_to_return_to() == ["app.example.com", "eu.example.com"]
    assert only_entry("product.changed").after == {"return_hosts": ["app.example.com", "eu.example.com"]}


def test_revoking_twice_is_refused_in_the_dialog_with_the_services_sentence() -> None:
    make_token(make_product())
    key = ServiceToken.objects.get().pk
    client = client_of(Role.PLATFORM_ADMIN)
    act(client, "tenants_servicetoken_revoke", key)
    assert "was revoked already" in act(client, "tenants_servicetoken_revoke", key)
    assert AuditEntry.objects.filter(event="service_token.revoked").count() == 1


def test_a_fresh_token_is_shown_once_and_kept_nowhere() -> None:
    client = client_of(Role.PLATFORM_ADMIN)
    product = make_product()
    url = reverse("admin:tenants_product_create_token", args=(product.pk,))
    form = {"name": "eu", "scopes": ["credits:read"], "reason": WHY, "expires_on": "2150-01-31"}
    answer = client.post(url, form, headers=SCRIPT)
    token = ServiceToken.objects.get()
    text = next(word for word in answer.content.decode().replace("<", ">").split(">") if word.startswith("chp_"))
    assert hash_token(text) == bytes(token.token_hash)
    assert "no-store" in answer.headers["Cache-Control"]
    assert token.scopes == ["credits:read"]
    assert token.expires_at is not None
    assert token.expires_at.isoformat() == "2150-02-01T00:00:00+00:00"
    assert text not in str(dict(client.session))
    for page in (reverse("admin:tenants_servicetoken_change", args=(token.pk,)), reverse("admin:index")):
        assert text not in client.get(page).content.decode()
    assert not AuditEntry.objects.filter(after__icontains=text).exists()


def test_relating_a_product() -> None:
    product, organization = make_product(), make_organization()
    client = client_of(Role.PLATFORM_ADMIN)
    for named in (organization.slug, str(organization.pk)):
        act(client, "tenants_product_relate_organization", product.pk, organization=named)
    assert ProductRelation.objects.get().organization == organization
    assert only_entry("organization.product_related").organization_id == organization.pk
    assert "There is no organization" in act(
        client, "tenants_product_relate_organization", product.pk, organization="nobody"
    )


def test_trying_a_parked_call_again() -> None:
    item = make_outbox_item(make_organization(), status=OutboxStatus.PARKED)
    act(client_of(Role.BILLING_OPERATIONS), "core_outboxitem_try_again", item.pk)
    item.refresh_from_db()
    assert item.status == OutboxStatus.PENDING
    assert only_entry("outbox_item.retried").role == "billing_operations"


def test_dismissing_a_parked_call_takes_it_off_the_overview() -> None:
    item = make_outbox_item(make_organization(), status=OutboxStatus.PARKED)
    client, shown = client_of(Role.BILLING_OPERATIONS), reverse("admin:core_outboxitem_change", args=[item.pk])
    assert shown in client.get(reverse("admin:index")).content.decode()
    act(client, "core_outboxitem_dismiss", item.pk)
    assert only_entry("outbox_item.dismissed").role == "billing_operations"
    assert shown not in client.get(reverse("admin:index")).content.decode()
    listed = reverse("admin:core_outboxitem_changelist")
    assert shown not in client.get(listed, {"status": "parked", "dismissed": "no"}).content.decode()
    assert shown in client.get(listed, {"dismissed": "yes"}).content.decode()
    act(client, "core_outboxitem_try_again", item.pk)
    item.refresh_from_db()
    assert (item.status, item.dismissed_at) == (OutboxStatus.PENDING, None)


def test_running_a_job() -> None:
    organization = make_organization()
    client = client_of(Role.BILLING_OPERATIONS)
    act(client, "run_job", "drain-outbox", organization=organization.slug, include_demo="on")
    run = JobRun.objects.get()
    assert (run.organization_id, run.include_demo, run.trigger) == (organization.pk, True, "user")
    assert only_entry("job.requested").organization_id == organization.pk
    act(client, "run_job", "drain-outbox", organization="")
    assert JobRun.objects.filter(organization_id=None).count() == 1
    assert "There is no organization" in act(client, "run_job", "drain-outbox", organization="nobody")
    assert client.get(reverse("admin:run_job", args=("no-such-job",))).status_code == 404


def test_removing_a_lost_second_factor() -> None:
    colleague = make_staff()
    theirs = Client()
    sign_in(theirs, colleague)
    act(client_of(Role.PLATFORM_ADMIN), "tenants_user_remove_second_factor", colleague.pk)
    assert not TOTPDevice.objects.filter(user=colleague).exists()
    assert only_entry("user.second_factor_removed").target_id == str(colleague.pk)
    assert theirs.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize("reason", ["", "   "])
def test_without_a_reason_nothing_is_done(reason: str) -> None:
    make_token(make_product())
    token = ServiceToken.objects.get()
    body = act(client_of(Role.PLATFORM_ADMIN), "tenants_servicetoken_revoke", token.pk, reason=reason)
    assert "This field is required" in body
    token.refresh_from_db()
    assert token.revoked_at is None


def test_without_the_csrf_token_nothing_is_done() -> None:
    make_token(make_product())
    token = ServiceToken.objects.get()
    client = Client(enforce_csrf_checks=True)
    sign_in(client, make_staff(Role.PLATFORM_ADMIN))
    url = reverse("admin:tenants_servicetoken_revoke", args=(token.pk,))
    assert client.post(url, {"reason": WHY}).status_code == 403
    token.refresh_from_db()
    assert token.revoked_at is None


@pytest.mark.walk
def test_every_verb_refuses_every_role_below_its_gate_and_changes_nothing() -> None:
    entries = AuditEntry.objects.filter(reason=WHY)
    fields = {"name": "x", "scopes": "credits:read", "organization": make_organization().slug, "reason": WHY}
    clients = {role: client_of(role) for role in (Role.SUPPORT, Role.BILLING_OPERATIONS)}
    refused = 0
    for page in registered_pages():
        key = MAKERS[page.model]().pk if page.verbs else None
        for verb, (role, client) in itertools.product(page.verbs, clients.items()):
            if reaches(role, OPERATIONS[verb.operation].platform_role):
                continue
            url = reverse(f"admin:{page.route_prefix}_{verb.name}", args=(key,))
            assert client.post(url, fields, headers=SCRIPT).status_code == 403
            refused += 1
    assert clients[Role.SUPPORT].post(reverse("admin:run_job", args=("drain-outbox",)), fields).status_code == 403
    assert refused >= 4
    assert not entries.exists()


def test_a_demotion_counts_between_the_dialog_and_its_answer() -> None:
    make_token(make_product())
    token = ServiceToken.objects.get()
    staff, client = make_staff(Role.PLATFORM_ADMIN), Client()
    enrol(staff)
    sign_in(client, staff)
    url = reverse("admin:tenants_servicetoken_revoke", args=(token.pk,))
    assert client.get(url).status_code == 200
    staff.groups.clear()
    assert client.post(url, {"reason": WHY}).status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is None


def test_verbs_are_offered_only_to_roles_and_on_records_that_they_apply_to() -> None:
    parked = make_outbox_item(make_organization(), status=OutboxStatus.PARKED)
    pending = OutboxItem.objects.exclude(pk=parked.pk).first() or make_outbox_item(make_organization())
    verb = reverse("admin:core_outboxitem_try_again", args=(parked.pk,))
    page = reverse("admin:core_outboxitem_change", args=(parked.pk,))
    assert verb in client_of(Role.BILLING_OPERATIONS).get(page).content.decode()
    assert verb not in client_of(Role.SUPPORT).get(page).content.decode()
    other = reverse("admin:core_outboxitem_change", args=(pending.pk,))
    assert "try-again" not in client_of(Role.BILLING_OPERATIONS).get(other).content.decode()


def test_a_dialog_without_the_pages_script_is_a_page_of_its_own() -> None:
    make_token(make_product())
    token = ServiceToken.objects.get()
    client = client_of(Role.PLATFORM_ADMIN)
    url = reverse("admin:tenants_servicetoken_revoke", args=(token.pk,))
    assert "<!DOCTYPE html>" in client.get(url).content.decode()
    answer = client.post(url, {"reason": WHY})
    assert answer.headers["Location"] == reverse("admin:tenants_servicetoken_change", args=(token.pk,))
