"""People are told once that credits run low: by the balance each minute, by the runway each hour (spec 07)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole, Role
from apps.core.errors import ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, ProductId
from apps.core.jobs import job_of
from apps.core.models import AuditEntry, OutboxItem
from apps.core.states import OutboxStatus
from apps.credits.enums import GrantType
from apps.credits.services import credit_grant, credit_policy_publish_prices, credits_consume
from apps.credits.services.grants import GrantParams
from apps.reporting.models import AlertSettings, AlertThreshold, ReportRecipient
from apps.reporting.rules.alerts import DEFAULTS, Audience, Threshold, ThresholdKind
from apps.reporting.rules.recipients import RecipientStatus
from apps.reporting.services import alert_mails, balance_alerts_change, rollups_refresh
from apps.tenants.enums import OrganizationKind
from apps.tenants.services import organization_upsert
from apps.tenants.services.organizations import OrganizationParams
from tests.backoffice.people import client_of
from tests.contexts import console_context, product_context, staff_context
from tests.credits.cast import PRICES, Place, consumption, give, make_place
from tests.factories.tenants import make_membership, make_product, make_signing_in_user, make_user, make_workspace
from tests.reporting.lives import at

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HALF, EXHAUSTED = Threshold(ThresholdKind.CREDITS, 5 * MICRO), Threshold(ThresholdKind.CREDITS, 0)


def run(name: str = "follow-balances", *, include_demo: bool = False) -> dict[str, int]:
    job = job_of(name)
    assert job is not None
    return job.run(console_context(), slot=clock.now(), organization_id=None, include_demo=include_demo)


def make(whole_credits: int = 10) -> Place:
    """An organization whose alerts have begun, with an owner, an admin, and a viewer whom nobody tells."""
    return begin(make_place(whole_credits=whole_credits))


def make_other(**nature: bool) -> Place:
    """The same with ten credits, where its organization is of another nature."""
    params = OrganizationParams(name="Other", kind=OrganizationKind.TEAM, **nature)
    organization = organization_upsert(
        console_context(), organization_id=OrganizationId(uuid.uuid4()), params=params
    ).record
    product = make_product("blue", organization)
    credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=PRICES)
    place = Place(product, organization, product_context(product))
    give(place, 10 * MICRO)
    return begin(place)


def begin(place: Place) -> Place:
    for role in (MembershipRole.OWNER, MembershipRole.ADMIN, MembershipRole.VIEWER):
        make_membership(place.organization, make_user(f"{role.value}@low.example"), role)
    run(include_demo=True)
    return place


def use(place: Place, credits: int) -> None:  # noqa: A002 - whole ones
    for _ in range(credits):
        credits_consume(place.context, consumption=consumption(place, operation="unit"))


def choose(place: Place, *thresholds: Threshold, audience: Audience = Audience.ADMINS) -> bool:
    return balance_alerts_change(
        staff_context(),
        organization_id=OrganizationId(place.organization.pk),
        thresholds=thresholds,
        audience=audience,
        reason="They asked for it.",
    )


def mailed() -> list[tuple[str, str]]:
    """Address and subject of each, oldest first."""
    items = OutboxItem.objects.filter(key__startswith="balance-alert:").order_by("created_at", "pk")
    return sorted((item.payload["to"][0], item.payload["subject"].split(":")[0]) for item in items)


def told(name: str) -> int:
    return AuditEntry.objects.filter(event=name).count()


def standing(place: Place) -> dict[str, tuple[bool | None, int]]:
    rows = AlertThreshold.objects.filter(settings=place.organization.pk)
    return {str(row): (row.is_low, row.times) for row in rows}


def everything() -> list[object]:
    models = (AlertSettings, AlertThreshold)
    return [*(list(model._default_manager.order_by("pk").values()) for model in models), AuditEntry.objects.count()]


def test_each_account_begins_with_the_usual_alerts_and_what_is_low_already_is_no_news() -> None:
    place = make(0)
    assert standing(place) == {"percent 20": (None, 0), "days 7": (None, 0), "credits 0": (True, 0)}
    assert (mailed(), AlertSettings.objects.get().is_chosen) == ([], False)


def test_a_crossing_is_mailed_once_to_owners_and_admins_until_it_was_above_by_a_tenth() -> None:
    place = make()
    choose(place, HALF)
    use(place, 4)
    assert (run()["told"], mailed()) == (0, [])
    use(place, 1)
    assert run()["told"] == 1
    assert [address for address, _ in mailed()] == ["admin@low.example", "owner@low.example"]
    use(place, 1)
    give(place, MICRO + MICRO // 4)
    assert (run()["told"], len(mailed()), standing(place)) == (0, 2, {"credits 5": (True, 1)})
    give(place, MICRO // 4)
    assert (run()["told"], told("balance.recovered"), standing(place)) == (0, 1, {"credits 5": (False, 1)})
    use(place, 1)
    assert (run()["told"], len(mailed()), told("balance.low")) == (1, 4, 2)


def test_a_rise_and_fall_between_two_looks_is_a_crossing() -> None:
    place = make()
    choose(place, HALF)
    use(place, 5)
    run()
    give(place, 3 * MICRO)
    use(place, 3)
    assert (run()["told"], standing(place)) == (1, {"credits 5": (True, 2)})


def test_the_end_is_told_in_one_mail_with_what_was_crossed_on_the_way() -> None:
    place = make()
    assert standing(place)["percent 20"] == (False, 0)
    use(place, 10)
    run()
    assert (standing(place)["percent 20"], standing(place)["credits 0"]) == ((True, 1), (True, 1))
    assert {subject for _, subject in mailed()} == {"Your credits are used up"}
    assert (len(mailed()), told("balance.low"), told("balance.exhausted")) == (2, 1, 1)


def test_the_percentage_is_of_the_last_purchase() -> None:
    place = make(0)
    bonus = GrantParams(grant_type=GrantType.BONUS, amount=10 * MICRO)
    credit_grant(place.context, key="bonus", account=place.ref, params=bonus)
    run()
    assert standing(place) == {"percent 20": (None, 0), "days 7": (None, 0), "credits 0": (False, 0)}
    give(place, 5 * MICRO)
    run()
    use(place, 13)
    assert run()["told"] == 0
    use(place, 1)
    assert (run()["told"], {subject for _, subject in mailed()}) == (1, {"Your credits run low"})


@pytest.mark.parametrize("stops_at", ["audit", "mails"])
def test_whoever_dies_between_state_and_mail_has_written_neither(
    stops_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make()
    choose(place, HALF)
    use(place, 5)
    before = everything()

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(alert_mails, {"audit": "audit_append", "mails": "outbox_enqueue"}[stops_at], die)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert (everything(), mailed()) == (before, [])
    assert (run()["told"], len(mailed())) == (1, 2)
    assert (run()["told"], len(mailed())) == (0, 2)


def test_the_mails_of_a_demo_are_kept_and_not_sent() -> None:
    use(make_other(is_demo=True), 10)
    assert run()["moved"] == 0
    assert run(include_demo=True)["told"] == 1
    items = OutboxItem.objects.filter(key__startswith="balance-alert:")
    assert {item.status for item in items} == {OutboxStatus.SUPPRESSED}


def test_nothing_follows_for_a_synthetic_organization() -> None:
    place = make_other(is_synthetic=True)
    assert not AlertSettings.objects.exists()
    choose(place, HALF)
    use(place, 10)
    assert (run(include_demo=True)["moved"], mailed(), told("balance.low")) == (0, [], 0)


def test_report_recipients_are_told_each_with_the_link_that_ends_it() -> None:
    place = make()
    ReportRecipient.objects.create(
        organization=place.organization,
        email="books@elsewhere.example",
        status=RecipientStatus.ACTIVE,
        changed_at=NOON,
        created_at=NOON,
    )
    choose(place, HALF, audience=Audience.REPORT_RECIPIENTS)
    use(place, 5)
    run()
    item = OutboxItem.objects.get(key__startswith="balance-alert:")
    assert item.payload["to"] == ["books@elsewhere.example"]
    assert item.payload["headers"]["List-Unsubscribe"].strip("<>") in item.payload["text"]
    ReportRecipient.objects.update(status=RecipientStatus.UNSUBSCRIBED)
    give(place, MICRO)
    use(place, 1)
    run()
    assert [address for address, _ in mailed()] == [
        "admin@low.example",
        "books@elsewhere.example",
        "owner@low.example",
    ]


def test_the_runway_is_judged_when_its_look_is_due() -> None:
    with at(NOON):
        place = make(200)
        assert run("balance-alerts") == {"due": 1, "told": 0}
        assert run("balance-alerts")["due"] == 0
    for day in range(4):
        with at(NOON + timedelta(days=day)):
            use(place, 10)
    with at(NOON + timedelta(days=4)):
        rollups_refresh(console_context())
        run()
        assert run("balance-alerts") == {"due": 1, "told": 0}
        assert standing(place)["days 7"] == (False, 0)
        use(place, 120)
    with at(NOON + timedelta(days=4, hours=6)):
        rollups_refresh(console_context())
        assert run("balance-alerts") == {"due": 1, "told": 1}
        assert run("balance-alerts") == {"due": 0, "told": 0}
        mail = OutboxItem.objects.filter(key__startswith="balance-alert:")[0]
        assert "which last for about 1 day at" in mail.payload["text"]
    with at(NOON + timedelta(days=4, hours=7)):
        assert run("balance-alerts") == {"due": 1, "told": 0}
    assert standing(place)["days 7"] == (True, 1)


@pytest.mark.parametrize(("name", "statements"), [("follow-balances", 2), ("balance-alerts", 1)])
def test_where_nothing_happened_the_number_of_statements_is_constant(name: str, statements: int) -> None:
    for slug in ("red", "blue", "green"):
        make_place(slug, whole_credits=1)
        run()
        run("balance-alerts")
        with CaptureQueriesContext(
            connection,
        ) as seen:
            run(name)
        assert len(seen) == statements


def test_a_list_of_accounts_costs_the_same_for_one_and_for_many() -> None:
    costs = []
    places = [make_place(slug, whole_credits=9) for slug in ("red", "blue", "green", "black")]
    run()
    for some in (places[:1], places):
        for place in some:
            use(place, 1)
        with CaptureQueriesContext(connection) as seen:
            assert run()["moved"] == len(some)
        costs.append(len(seen))
    assert costs[0] == costs[1]


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
