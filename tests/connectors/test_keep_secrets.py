"""Secrets stay secret: canaries are found nowhere, and a ciphertext opens in its own row alone (spec 11, P7)."""

from __future__ import annotations

import base64
import itertools
import json
import logging
import secrets
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from apps.connectors.enums import CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import BillingRecord, Connector, ConnectorCredential
from apps.connectors.services import credentials
from apps.connectors.services.credentials import binding_of, credential_open
from apps.core import clock
from apps.core.crypto import Binding, SealError, open_sealed
from apps.core.enums import MembershipRole, Role
from apps.tenants.models import Workspace
from tests.backoffice.people import client_of
from tests.connectors.cast import make_active_workspace
from tests.connectors.vault import fill, first_text
from tests.connectors.web import Web
from tests.factories.tenants import (
    make_membership,
    make_organization,
    make_product,
    make_token,
    make_user,
    make_workspace,
)
from tests.sizes import size

CANARIES = size(small=6, full=50)
SWAPPED = size(small=12, full=100)

Places = dict[str, str]


def forms(canary: str) -> tuple[str, ...]:
    """The canary as it could stand somewhere: plain, as hexadecimal digits, in base64, as a Python repr of bytes."""
    encoded = canary.encode()
    return canary, encoded.hex(), base64.b64encode(encoded).decode().rstrip("="), canary[:-4], canary[4:]


def found(places: Places, canaries: list[str]) -> list[str]:
    """Where a canary shows."""
    return [
        place for place, text in places.items() if any(form in text for canary in canaries for form in forms(canary))
    ]


def database_dump() -> str:
    """Every row of every table as text; a bytea column reads as hexadecimal digits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [row[0] for row in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" AS t')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def broker_dump() -> str:
    """Everything that the broker holds."""
    with current_app.connection() as broker:
        client = broker.default_channel.client
        return "\n".join(repr(client.dump(key)) for key in client.scan_iter())


class Story:
    """Products that send canaries in good and in bad ways, and what comes of it."""

    def __init__(self, workspace: Workspace, web: Web, canaries: list[str]) -> None:
        self.workspace, self.web, self.canaries = workspace, web, canaries
        self.token = make_token(make_product("red", workspace.organization))
        self.bodies: list[str] = []

    def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = Client(raise_request_exception=False).generic(
            method,
            f"/api/v1/internal/{path}",
            body if isinstance(body, str) else json.dumps(body or {}),
            content_type="application/json",
            headers={"authorization": f"Bearer {self.token}"},
        )
        self.bodies.append(answer.content.decode() + repr(answer.headers))
        return answer

    def live(self) -> None:
        """Create, read, replace, be refused, be malformed, break."""
        where = f"workspaces/{self.workspace.pk}/connectors"
        for number, canary in enumerate(self.canaries):
            body = {"provider": "usage_feed", "name": f"Feed {number}", "api_key": canary}
            body |= {"settings": {"base_url": f"{self.web.base}/feed"}}  # type: ignore[dict-item]
            self.web.failing = (200, {}, b"")
            made = self.send("POST", where, body)
            assert made.status_code == 201
            connector_id = made.json()["id"]
            self.send("GET", f"connectors/{connector_id}")
            self.send("PUT", f"connectors/{connector_id}/credential", {"api_key": canary})
            self.send("PUT", f"connectors/{connector_id}/credential", {"api_key": canary, "surprise": canary[:0]})
            for failing in ((401, {}, canary.encode()), (503, {}, canary.encode()), (302, {"Location": "/x"}, b"")):
                self.web.failing = failing
                self.send("PUT", f"connectors/{connector_id}/credential", {"api_key": canary})
            self.send("PUT", f"connectors/{connector_id}/credential", {"api_key": [canary]})
            self.send("PUT", f"connectors/{connector_id}/credential", f'{{"api_key": "{canary}"')
        self.send("GET", where)


@pytest.fixture
def canaries() -> list[str]:
    return [f"canary-{secrets.token_hex(16)}" for _ in range(CANARIES)]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that anybody logs, at the deepest level, before any redaction."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def staff_pages(workspace: Workspace) -> str:
    client = client_of(Role.SUPPORT)
    pages = (f"/admin/tenants/workspace/{workspace.pk}/", "/admin/core/auditentry/")
    return "\n".join(client.get(page, follow=True).content.decode() for page in pages)


def tenant_texts(workspace: Workspace) -> Places:
    """The tenant's pages about its connectors, and their billing records as CSV, one record for each connector."""
    BillingRecord.objects.bulk_create(
        BillingRecord(
            connector=connector,
            external_id="of-the-search",
            month="2026-03",
            kind="cost",
            category="regular",
            description=f"Of {connector.name}",
            occurred_at=clock.now(),
            raw={},
            digest=bytes(16),
            seen_by=connector.pk,
            first_seen_at=clock.now(),
            changed_at=clock.now(),
        )
        for connector in Connector.objects.filter(workspace=workspace)
    )
    admin, browser = make_user(), Client()
    make_membership(workspace.organization, admin, MembershipRole.ADMIN)
    browser.force_login(admin)
    names = ("billing-connectors", "billing-automation", "billing-records")
    pages = [reverse(name, args=[workspace.slug]) for name in names]
    pages += [reverse("billing-connector", args=[workspace.slug, row]) for row in connector_ids()]
    answer = browser.get(reverse("billing-records-csv", args=[workspace.slug]))
    exported = answer.getvalue().decode()
    assert exported.count("of-the-search") == len(connector_ids())
    return {"tenant pages": "\n".join(browser.get(page).content.decode() for page in pages), "exports": exported}


def places_of(story: Story, log: pytest.LogCaptureFixture) -> Places:
    return {
        "bodies": "\n".join(story.bodies),
        "logs": log.text + repr([vars(record) for record in log.records]),
        "broker": broker_dump(),
        "database": database_dump(),
        "mail": "\n".join(f"{message.subject} {message.body}" for message in mail.outbox),
        "staff pages": staff_pages(story.workspace),
        **tenant_texts(story.workspace),
    }


@pytest.mark.prove(
    "P7 planted canaries: 0 found in bodies, logs, broker, database, mail, exports, all pages",
    size=CANARIES,
    control="plain storage and a chatty log are caught",
)
@pytest.mark.django_db(transaction=True)
def test_no_canary_is_found(web: Web, log: pytest.LogCaptureFixture, canaries: list[str]) -> None:
    story = Story(make_active_workspace(), web, canaries)
    story.live()
    assert len(story.bodies) > 9 * CANARIES
    assert found(places_of(story, log), canaries) == []
    stored = [credential_open(ConnectorId(row)) for row in connector_ids()]
    assert sorted(secret.reveal() for secret in stored if secret) == sorted(canaries)


def connector_ids() -> list[uuid.UUID]:
    return list(ConnectorCredential.objects.values_list("connector", flat=True))


@pytest.mark.django_db(transaction=True)
def test_no_canary_is_found_when_we_break(
    web: Web, log: pytest.LogCaptureFixture, canaries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("the database is on fire")

    monkeypatch.setattr("apps.connectors.services.onboarding.credential_write", broken)
    story = Story(make_active_workspace(), web, canaries)
    web.failing = (200, {}, b"")
    body = {"provider": "usage_feed", "name": "Feed", "settings": {"base_url": f"{web.base}/feed"}}
    answer = story.send("POST", f"workspaces/{story.workspace.pk}/connectors", {**body, "api_key": canaries[0]})
    assert answer.status_code == 500
    formatted = "".join(logging.Formatter().format(record) for record in log.records)
    places = {"error page": "\n".join(story.bodies), "logs": log.text + formatted, "database": database_dump()}
    assert found(places, canaries) == []
    assert not ConnectorCredential.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_plain_storage_is_caught(
    web: Web, log: pytest.LogCaptureFixture, canaries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a module that only seems to seal, and logs what it is given."""

    def plainly(text: str, binding: Binding) -> bytes:
        logging.getLogger("apps.connectors").debug("sealing %s", text)
        return b"\x01" + bytes(8) + text.encode()

    monkeypatch.setattr(credentials, "seal", plainly)
    story = Story(make_active_workspace(), web, canaries)
    story.live()
    assert set(found(places_of(story, log), canaries)) == {"database", "logs"}


def swapped_that_open(ids: list[ConnectorId]) -> int:
    """How many ciphertexts open in a row that is not theirs, of all the pairs."""
    rows = dict(ConnectorCredential.objects.values_list("connector", "ciphertext"))
    opened = 0
    for here, there in itertools.permutations(ids, 2):
        try:
            open_sealed(bytes(rows[there]), binding_of(here, CredentialKind.API_KEY))
        except SealError:
            continue
        opened += 1
    return opened


@pytest.mark.prove(
    "P7 swapped ciphertexts: 0 decrypt", size=SWAPPED * (SWAPPED - 1), control="sealing without its place is caught"
)
@pytest.mark.django_db
def test_no_swapped_ciphertext_opens() -> None:
    ids = fill(make_workspace(make_organization()), SWAPPED)
    assert swapped_that_open(ids) == 0
    for connector_id in ids:
        secret = credential_open(connector_id)
        assert secret is not None
        assert secret.reveal() == first_text(connector_id)


@pytest.mark.django_db
def test_a_row_with_anothers_ciphertext_fails_closed() -> None:
    here, there = fill(make_workspace(make_organization()), 2)
    moved = ConnectorCredential.objects.get(connector=there).ciphertext
    ConnectorCredential.objects.filter(connector=here).update(ciphertext=moved)
    with pytest.raises(SealError, match="belongs to another record"):
        credential_open(here)


@pytest.mark.django_db
def test_sealing_without_its_place_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same seal without associated data of the record."""
    nowhere: Callable[[Binding, bytes], bytes] = lambda binding, header: header  # noqa: E731
    monkeypatch.setattr(Binding, "associated_data", nowhere)
    ids = fill(make_workspace(make_organization()), 5)
    assert swapped_that_open(ids) == 20


@pytest.mark.django_db
def test_without_a_key_nothing_is_stored(settings: Settings) -> None:
    workspace = make_workspace(make_organization())
    settings.CREDENTIAL_KEYS = ()
    with pytest.raises(SealError):
        fill(workspace, 1)
    assert not ConnectorCredential.objects.exists()
