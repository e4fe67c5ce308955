"""Staff through the identity service: a token with the proof lets in, every other one gets its page (spec 02)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from apps.core.enums import Role
from apps.core.models import AuditEntry
from apps.tenants.models import GuessCount, User
from apps.tenants.oidc.id_token import proves_second_factor
from tests.backoffice.people import code_of, enrol, give_password
from tests.factories.tenants import make_membership, make_organization, make_staff, make_user, make_workspace
from tests.markup import Page
from tests.tenants.identity_service import OTHER, IdentityService, is_signed_in, signed, truth
from tests.tenants.identity_service import begin as begin_as_tenant
from tests.tenants.identity_service import come_back as come_back_as_tenant
from tests.tenants.identity_service import service as service  # noqa: PLC0414 - a fixture of this module

pytestmark = pytest.mark.django_db

LOGIN, BEGIN, CALLBACK, INDEX, CODE, ENROL = (
    reverse(f"admin:{name}") for name in ("login", "oidc_begin", "oidc_callback", "index", "second_factor", "enrol")
)
ACR = "urn:example:mfa"


@pytest.fixture(autouse=True)
def _open_to_staff(service: IdentityService, settings: Settings) -> None:
    settings.STAFF_OIDC, settings.STAFF_OIDC_PROOF = True, ("amr", "mfa")


def begin(client: Client, wanted: str = "") -> dict[str, str]:
    answer: Any = client.get(BEGIN, {"next": wanted} if wanted else {})
    assert answer.status_code == 302, answer.content
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def come_back(client: Client, **query: str) -> Any:
    return client.get(CALLBACK, query)


def come_in(service: IdentityService, client: Client, user: User, wanted: str = "", /, **claims: object) -> Any:
    """The whole way, with the proof unless the claims say otherwise."""
    sent = begin(client, wanted)
    service.token = signed(service.claims(user, sent["nonce"], **{"amr": ["pwd", "mfa"], **claims}))
    return come_back(client, code="x", state=sent["state"])


def is_in(client: Client) -> bool:
    return client.get(INDEX).status_code == 200


PROOFS: list[tuple[tuple[str, str], dict[str, object], bool]] = [
    (("amr", "mfa"), {"amr": ["mfa"]}, True),
    (("amr", "mfa"), {"amr": ["pwd", "mfa", 5]}, True),
    (("amr", "mfa"), {}, False),
    (("amr", "mfa"), {"amr": []}, False),
    (("amr", "mfa"), {"amr": ["pwd", "MFA"]}, False),
    (("amr", "mfa"), {"amr": "mfa"}, False),
    (("amr", "mfa"), {"amr": {"mfa": True}}, False),
    (("amr", "mfa"), {"amr": [["mfa"]]}, False),
    (("amr", "mfa"), {"amr": None, "acr": "mfa"}, False),
    (("acr", ACR), {"acr": ACR}, True),
    (("acr", ACR), {"acr": f"{ACR}2"}, False),
    (("acr", ACR), {"acr": [ACR]}, False),
    (("acr", ACR), {"acr": "0"}, False),
    (("acr", ACR), {"amr": [ACR, "mfa"]}, False),
    (("acr", "1"), {"acr": 1}, False),
]


@pytest.mark.parametrize(("proof", "claims", "is_proof"), PROOFS)
def test_what_proves_a_second_factor(proof: tuple[str, str], claims: dict[str, object], is_proof: bool) -> None:
    assert proves_second_factor(claims, proof) is is_proof


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.PLATFORM_ADMIN])
def test_a_token_with_the_proof_lets_in_for_the_usual_length(
    service: IdentityService, settings: Settings, role: Role
) -> None:
    user, client = make_staff(role), Client()
    answer = come_in(service, client, user, "/admin/search/?q=x")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/search/?q=x")
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.session.get_expiry_age() == settings.SESSION_COOKIE_AGE
    assert is_in(client)
    assert client.get(LOGIN).headers["Location"] == INDEX
    assert client.get(BEGIN).headers["Location"] == INDEX
    assert client.get(reverse("admin:second_factor_settings")).status_code == 200
    entry = AuditEntry.objects.get(event="user.signed_in_by_identity_service")
    assert (entry.actor_id, entry.target_id) == (str(user.pk), str(user.pk))
    assert entry.after == {"proof": "amr=mfa"}
    assert (GuessCount.objects.count(), TOTPDevice.objects.count()) == (0, 0)
    assert come_back(client, code="x", state="used").headers["Location"] == INDEX


def test_the_level_is_asked_for_where_it_is_the_proof(service: IdentityService, settings: Settings) -> None:
    assert "acr_values" not in begin(Client())
    settings.STAFF_OIDC_PROOF = ("acr", ACR)
    sent = begin(Client())
    assert (sent["acr_values"], sent["redirect_uri"]) == (ACR, f"http://testserver{CALLBACK}")
    assert sent["code_challenge_method"] == "S256"
    user, client = make_staff(), Client()
    assert come_in(service, client, user, acr="urn:example:pwd").status_code == 403
    assert come_in(service, client, user, acr=ACR).headers["Location"] == INDEX
    assert is_in(client)


def unsigned(claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


Token = Callable[[dict[str, Any]], str]
_NO_PROOF, _BAD = "No proof of a second factor", "is not valid"
REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "another nonce": ({"nonce": "another"}, _BAD),
    "another issuer": ({"iss": "https://evil.example"}, _BAD),
    "another audience": ({"aud": "another"}, _BAD),
    "expired": ({"exp": 1}, _BAD),
    "no expiry": ({"exp": None}, _BAD),
    "unknown subject": ({"sub": "00000000-0000-4000-8000-000000000000"}, "You have no account here"),
    "an address as subject": ({"sub": "pat@example.com"}, "You have no account here"),
    "a tenant's subject": ({"sub": "TENANT"}, "This account has no platform role"),
    "a former member of staff": ({"sub": "FORMER"}, "This account has no platform role"),
    "a deactivated member of staff": ({"sub": "GONE"}, "This account is deactivated"),
    "no amr": ({"amr": None}, _NO_PROOF),
    "amr without mfa": ({"amr": ["pwd"]}, _NO_PROOF),
    "amr as a text": ({"amr": "mfa"}, _NO_PROOF),
    "acr instead": ({"amr": None, "acr": "mfa"}, _NO_PROOF),
}


@pytest.mark.parametrize(("changes", "title"), REFUSED.values(), ids=REFUSED)
def test_every_other_token_gets_its_page_and_changes_nothing(
    service: IdentityService, changes: dict[str, object], title: str
) -> None:
    user, client = make_staff(), Client()
    people = {"TENANT": make_user(), "FORMER": make_staff(), "GONE": make_staff()}
    people["FORMER"].groups.clear()
    User.objects.filter(pk=people["GONE"].pk).update(is_active=False)
    person = people.get(str(changes.get("sub")))
    before = truth()
    answer = come_in(service, client, user, **(changes if person is None else {"sub": str(person.pk)}))
    page = Page(answer.content.decode())
    assert (answer.status_code, title in page.text) == (403, True), page.text
    assert "Nobody was signed in, and nothing was changed." in page.text
    assert ("password and a code" in page.text, "amr" in page.text) == (title == _NO_PROOF, title == _NO_PROOF)
    assert LOGIN in page.links()
    assert not is_signed_in(client)
    assert not is_in(client)
    assert truth() == before


@pytest.mark.parametrize("forge", [unsigned, lambda claims: signed(claims, OTHER)], ids=["unsigned", "another key"])
def test_a_token_that_the_service_did_not_sign(service: IdentityService, forge: Token) -> None:
    user, client = make_staff(), Client()
    sent, before = begin(client), truth()
    service.token = forge(service.claims(user, sent["nonce"], amr=["mfa"]))
    answer = come_back(client, code="x", state=sent["state"])
    assert (answer.status_code, _BAD in answer.content.decode()) == (403, True)
    assert not is_signed_in(client)
    assert truth() == before


def test_a_wrong_state_and_an_error_and_a_service_that_is_down(service: IdentityService) -> None:
    user, client = make_staff(), Client()
    sent, before = begin(client), truth()
    service.token = signed(service.claims(user, sent["nonce"], amr=["mfa"]))
    assert come_back(client, code="x", state=f"{sent['state']}x").status_code == 400
    assert come_back(Client(), code="x", state=sent["state"]).status_code == 400
    assert service.count("/token") == 0
    assert come_back(client, error="access_denied", state=sent["state"]).status_code == 403
    assert come_back(client, code="x", state=sent["state"]).status_code == 400
    sent = begin(client)
    service.answers["/token"] = (503, b"")
    answer = come_back(client, code="x", state=sent["state"])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert not is_signed_in(client)
    assert truth() == before


def test_an_answer_for_one_door_opens_nothing_at_the_other(service: IdentityService) -> None:
    staff, tenant, client = make_staff(), make_user(), Client()
    sent = begin_as_tenant(client)
    service.token = signed(service.claims(staff, sent["nonce"], amr=["mfa"]))
    assert come_back(client, code="x", state=sent["state"]).status_code == 400
    sent = begin(client)
    service.token = signed(service.claims(tenant, sent["nonce"], amr=["mfa"]))
    assert come_back_as_tenant(client, code="x", state=sent["state"]).status_code == 400
    assert service.count("/token") == 0
    assert not is_signed_in(client)


def test_a_tenants_session_never_opens_the_staff_plane(service: IdentityService) -> None:
    user, client = make_user(), Client()
    sent = begin_as_tenant(client)
    service.token = signed(service.claims(user, sent["nonce"], amr=["mfa"]))
    assert come_back_as_tenant(client, code="x", state=sent["state"]).status_code == 302
    assert not is_in(client)
    # Not even that of somebody who becomes staff meanwhile: no second factor may be set up without the password.
    role = make_staff(Role.PLATFORM_ADMIN).groups.get()
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.groups.add(role)
    for path in (CODE, ENROL):
        assert client.get(path).headers["Location"] == LOGIN
    assert "Password" in Page(client.get(LOGIN).content.decode()).text
    assert not is_in(client)
    assert TOTPDevice.objects.count() == 0


def test_a_staff_session_opens_tenants_pages_as_nobody_else(service: IdentityService) -> None:
    staff, tenant, client = make_staff(), make_user(), Client()
    workspace = make_workspace(make_organization())
    make_membership(workspace.organization, tenant)
    client.force_login(tenant)
    page = reverse("billing-overview", args=[workspace.slug])
    assert client.get(page).status_code == 200
    assert come_in(service, client, staff, amr=["pwd"]).status_code == 403
    assert client.session["_auth_user_id"] == str(tenant.pk)
    assert come_in(service, client, staff).status_code == 302
    assert client.session["_auth_user_id"] == str(staff.pk)
    by_code, device = Client(), enrol(staff)
    give_password(by_code, staff.email)
    by_code.post(CODE, {"code": code_of(device)})
    assert is_in(by_code)
    assert client.get(page).status_code == by_code.get(page).status_code
    assert tenant.email not in client.get(page).content.decode()


@pytest.mark.parametrize(
    "change",
    [{"STAFF_OIDC": False}, {"OIDC_ISSUER": ""}, {"STAFF_OIDC_PROOF": ("acr", ACR)}],
    ids=["switched off", "no service", "another proof"],
)
def test_a_session_lasts_as_long_as_the_settings_allow_it(
    service: IdentityService, settings: Settings, change: dict[str, Any]
) -> None:
    user, client = make_staff(), Client()
    come_in(service, client, user)
    assert is_in(client)
    for name, value in change.items():
        setattr(settings, name, value)
    assert client.get(INDEX).headers["Location"].startswith(LOGIN)
    assert not is_signed_in(client)


def test_removed_roles_and_deactivation_count_at_the_next_request(service: IdentityService) -> None:
    demoted, gone = make_staff(), make_staff()
    first, second = Client(), Client()
    come_in(service, first, demoted)
    come_in(service, second, gone)
    assert (is_in(first), is_in(second)) == (True, True)
    demoted.groups.clear()
    User.objects.filter(pk=gone.pk).update(is_active=False)
    assert (is_in(first), is_in(second)) == (False, False)


def test_a_password_in_such_a_session_needs_its_code(service: IdentityService) -> None:
    user, client = make_staff(), Client()
    come_in(service, client, user)
    device = enrol(user)
    assert give_password(client, user.email).headers["Location"] == CODE
    assert not is_in(client)
    client.post(CODE, {"code": code_of(device)})
    assert is_in(client)


def test_the_sign_in_page_offers_the_service_only_where_it_is_open_to_staff(
    service: IdentityService, settings: Settings
) -> None:
    for is_on, issuer in ((True, service.issuer), (False, service.issuer), (True, "")):
        settings.STAFF_OIDC, settings.OIDC_ISSUER = is_on, issuer
        page = Page(Client().get(LOGIN, {"next": "/admin/search/?q=x"}).content.decode())
        is_offered = f"{BEGIN}?next=%2Fadmin%2Fsearch%2F%3Fq%3Dx" in page.links()
        assert is_offered is (is_on and bool(issuer))
        assert "Password" in page.text
        if not is_offered:
            assert Client().get(BEGIN).headers["Location"] == LOGIN
            assert come_back(Client(), code="x", state="x").status_code == 400


@pytest.mark.parametrize("wanted", ["https://evil.example/admin/", "//evil.example/", "javascript:alert(1)"])
def test_the_way_back_leads_nowhere_else(service: IdentityService, wanted: str) -> None:
    assert come_in(service, Client(), make_staff(), wanted).headers["Location"] == INDEX
