"""Admins and staff choose when to be told that credits run low, and whom (spec 07, Balance alerts)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole, Role
from apps.core.errors import ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.reporting.models import AlertSettings, AlertThreshold
from apps.reporting.rules.alerts import DEFAULTS, Audience, Threshold, ThresholdKind
from apps.reporting.services import balance_alerts_change
from tests.backoffice.people import client_of
from tests.contexts import product_context, staff_context
from tests.factories.tenants import make_membership, make_signing_in_user, make_workspace
from tests.reporting.alerting import (
    EXHAUSTED,
    HALF,
    choose,
    everything,
    make,
    run,
    standing,
    told,
    use,
)

pytestmark = pytest.mark.django_db


def test_staff_say_why_and_who_may_not_changes_nothing() -> None:
    place = make()
    name, before = OrganizationId(place.organization.pk), everything()
    wish: dict[str, Any] = {"thresholds": [HALF], "audience": Audience.ADMINS}
    with pytest.raises(ForbiddenError):
        balance_alerts_change(product_context(place.product), organization_id=name, reason="x", **wish)
    with pytest.raises(UnprocessableError):
        balance_alerts_change(staff_context(), organization_id=name, reason=" ", **wish)
    with pytest.raises(NotFoundError):
        balance_alerts_change(staff_context(), organization_id=OrganizationId(place.product.pk), reason="x", **wish)
    assert everything() == before
    assert choose(place, HALF)
    entry = AuditEntry.objects.get(event="balance_alerts.changed")
    assert entry.after == {"thresholds": ["credits 5"], "audience": "admins"}
    assert not choose(place, HALF)
    assert told("balance_alerts.changed") == 1
    assert choose(place)
    use(place, 10)
    assert (run()["told"], run("balance-alerts")["due"]) == (0, 0)


def test_a_threshold_that_stays_keeps_how_it_stands_and_a_new_one_is_low_silently() -> None:
    place = make()
    choose(place, HALF)
    use(place, 5)
    run()
    choose(place, HALF, Threshold(ThresholdKind.CREDITS, 8 * MICRO), EXHAUSTED)
    assert standing(place) == {"credits 5": (True, 1), "credits 8": (True, 0), "credits 0": (False, 0)}


def test_an_admin_sets_them_on_the_page_and_finds_it_from_settings() -> None:
    place = make()
    space, admin = make_workspace(place.organization, "One"), make_signing_in_user("at@low.example")
    make_membership(place.organization, admin, MembershipRole.ADMIN)
    client = Client()
    client.force_login(admin)
    address = reverse("billing-balance-alerts", args=[space.slug])
    assert address in client.get(reverse("billing-settings", args=[space.slug])).content.decode()
    assert "These are the usual alerts" in client.get(address).content.decode()
    before = everything()
    answer = client.post(address, {"percent": "120", "credits": "<b>", "days": "7"})
    assert (answer.status_code, everything()) == (422, before)
    assert "no whole number from 1 to 100" in answer.content.decode()
    answer = client.post(address, {"percent": "", "credits": "0 5", "days": "14", "audience": "admins"}, follow=True)
    assert "At 14 days at the usual pace" in answer.content.decode()
    assert set(standing(place)) == {"credits 0", "credits 5", "days 14"}
    answer = client.post(address, {}, follow=True)
    assert "Nobody is warned" in answer.content.decode()


def test_staff_set_them_on_the_account_with_a_reason() -> None:
    place = make()
    url = reverse("admin:credits_creditaccount_balance_alerts", args=(place.organization.pk,))
    typed = {"percent": "30", "credits": "", "days": "", "audience": "report_recipients", "step": "apply"}
    client, before = client_of(Role.BILLING_OPERATIONS), everything()
    for values in ({**typed, "reason": ""}, {**typed, "reason": "ticket", "percent": "x"}):
        assert "HX-Redirect" not in client.post(url, values, headers={"HX-Request": "true"}).headers
    assert client_of(Role.SUPPORT).post(url, {**typed, "reason": "x"}).status_code == 403
    assert [everything()[:2]] == [before[:2]]
    answer = client.post(url, {**typed, "reason": "ticket"}, headers={"HX-Request": "true"})
    assert "HX-Redirect" in answer.headers, answer.content
    assert standing(place) == {"percent 30": (False, 0)}
    assert AlertSettings.objects.get().audience == Audience.REPORT_RECIPIENTS
    assert DEFAULTS[0] not in {row.threshold for row in AlertThreshold.objects.all()}
