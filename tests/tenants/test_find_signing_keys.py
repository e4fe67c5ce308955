"""The keys of the identity service: new ones are found, strange ones spoil nothing, made-up ones are not looked up."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.core import clock
from tests.factories.tenants import make_user
from tests.tenants.identity_service import EC, OTHER, RSA, IdentityService, begin, come_back, signed
from tests.tenants.identity_service import service as service  # noqa: PLC0414 - a fixture of this module

pytestmark = pytest.mark.django_db


def test_a_new_key_is_looked_up_once_and_made_up_ones_are_not_looked_up_at_will(service: IdentityService) -> None:
    user = make_user()
    service.keys = [RSA]

    def answer_with(key: Any, **header: Any) -> int:
        client = Client()
        sent = begin(client)
        service.token = signed(service.claims(user, sent["nonce"]), key, "ES256" if key is EC else "RS256", **header)
        return come_back(client, code="x", state=sent["state"]).status_code

    assert answer_with(RSA) == 302
    assert answer_with(EC) == 403
    assert service.count("/keys") == 1
    service.keys = [RSA, EC]
    with time_machine.travel(clock.now() + timedelta(minutes=1, seconds=1)):
        assert answer_with(EC) == 302
        for number in range(5):
            assert answer_with(RSA, kid=f"made-up-{number}") == 403
        assert service.count("/keys") == 2
        # The token names no key: each is tried.
        assert (answer_with(RSA, kid=None), answer_with(EC, kid=None), answer_with(OTHER, kid=None)) == (302, 302, 403)


def test_keys_that_are_not_for_us_spoil_nothing(service: IdentityService) -> None:
    user = make_user()
    ours = [key.as_dict(private=False) for key in (RSA, EC)]
    strange: list[object] = [
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "rsa-1"},
        {"kty": "RSA", "kid": "rsa-1"},
        {"kty": "EC", "crv": "P-000", "x": "AA", "y": "AA", "kid": "rsa-1"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa-1"},
        {**OTHER.as_dict(private=False), "use": "enc"},
        {"kty": "AKP", "alg": "ML-DSA-44"},
        {},
        7,
        None,
        # Two kinds of key may share a name.
        {**ours[1], "kid": "rsa-1"},
    ]
    service.answers["/keys"] = (200, json.dumps({"keys": [*strange, *ours]}).encode())
    for key, alg in ((RSA, "RS256"), (EC, "ES256")):
        client = Client()
        sent = begin(client)
        service.token = signed(service.claims(user, sent["nonce"]), key, alg)
        assert come_back(client, code="x", state=sent["state"]).status_code == 302
