"""The cards of the Connectors page say each thing once."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.connectors.models import Connector
from tests.connectors.cast import make_active_workspace, make_connector
from tests.factories.tenants import make_membership, make_signing_in_user
from tests.markup import Page


@pytest.mark.parametrize(("name", "shown"), [("Stripe", "Stripe"), ("Invoices of Europe", "Invoices of Europe Stripe")])
def test_a_connector_that_is_called_as_its_provider_says_the_name_once(db: None, name: str, shown: str) -> None:
    workspace = make_active_workspace()
    connector = make_connector(workspace, provider="stripe")
    Connector.objects.filter(pk=connector.pk).update(name=name)
    user, client = make_signing_in_user(), Client()
    make_membership(workspace.organization, user)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    text = Page(client.get(reverse("billing-connectors", args=[workspace.slug])).content.decode()).text
    # The line before the cards is for paper alone.
    card = text[text.index("times in UTC.") + len("times in UTC.") : text.index("Enabled")]
    assert card.strip() == shown
