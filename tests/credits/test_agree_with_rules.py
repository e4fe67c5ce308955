"""The functions in SQL do as the pure rules say: burn order (credits_burn), affordability, months, free quantities."""

from __future__ import annotations

import itertools
import random
import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.ids import ProductId
from apps.core.models import IdempotencyRecord
from apps.core.states import IdempotencyOutcome
from apps.credits.models import CreditGrant, FreeQuantity, GrantBurn, ShadowDisagreement
from apps.credits.rules.allocation import affordable, allocate
from apps.credits.rules.months import free_month
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_policy_publish_prices, credits_consume_batch
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import Organization, Product, User
from apps.tenants.personal_accounts import PersonalFacts, may_use_personal_account
from tests.contexts import console_context
from tests.credits.cast import assert_sound, consumption, give, look_at, make_place
from tests.factories.tenants import make_membership, make_organization, make_product, make_user

pytestmark = pytest.mark.django_db
SEED = 20261129
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Asia/Kathmandu")


def test_a_month_is_the_same_in_sql_and_in_the_rule() -> None:
    """Around each boundary that there is: month ends by each zone, and 35 days after them."""
    edges = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 4, 11)]
    steps = [timedelta(hours=hours) for hours in (-15, -5, -1, 0, 4, 14)]
    # With an hour, exactly at the end of what may be late: an hour before the month's end the run happened.
    backs = [
        timedelta(days=days, hours=hours) for days, hours in ((0, 0), (34, 23), (35, 0), (35, 1), (36, 0), (70, 0))
    ]
    cases = [
        (edge + step, edge + step + back, zone)
        for edge, step, back, zone in itertools.product(edges, steps, backs, ZONES)
    ]
    with connection.cursor() as cursor:
        for at, now, zone in cases:
            cursor.execute("SELECT month, is_late FROM credits_free_month(%s, %s, %s)", [at, now, zone])
            assert cursor.fetchone() == free_month(at, now, ZoneInfo(zone)), (at, now, zone)


@pytest.mark.slow
def test_grants_burn_in_sql_as_the_rule_allocates() -> None:
    chance = random.Random(SEED)  # noqa: S311 - it must repeat
    for number in range(15):
        place = make_place(f"red-{number}")
        for _ in range(chance.randint(1, 6)):
            ends = chance.choice([None, clock.now() + timedelta(days=chance.randint(1, 3))])
            give(place, chance.randint(1, 20), priority=chance.choice([1, 100]), expires_at=ends)
        grants = list(CreditGrant.objects.filter(account=place.account))
        left = place.account.available
        dues = [chance.randint(1, 15) for _ in range(8)]
        items = [consumption(place, operation="unit", quantity=due) for due in dues]
        results = credits_consume_batch(place.context, consumptions=items)
        look_at(place)
        for due, result in zip(dues, results, strict=True):
            assert isinstance(result, Answer if affordable(due, left) else CountinghouseError), (SEED, number)
            if isinstance(result, Answer):
                left -= due
                parts, unpaid = allocate(due, grants)
                for grant, taken in parts:
                    grant.remaining -= taken
                burned = GrantBurn.objects.filter(entry_id=uuid.UUID(str(result.body["entry_id"]))).order_by("pk")
                meant = [(grant.pk, taken) for grant, taken in parts]
                assert (list(burned.values_list("grant_id", "amount")), unpaid) == (meant, 0), (SEED, number)
    assert_sound()


def _own_account(person_id: uuid.UUID) -> uuid.UUID | None:
    own = Organization.objects.filter(
        kind=OrganizationKind.INDIVIDUAL, memberships__user=person_id, memberships__role=MembershipRole.OWNER
    )
    return own.order_by("created_at", "id").values_list("pk", flat=True).first()


def _may_use(product: Product, person: User) -> bool:
    shared = Organization.objects.filter(memberships__user=person, product_relations__product=product)
    is_creator = person.created_by_product_id == product.pk
    return may_use_personal_account(
        PersonalFacts(user_exists=True, is_creator=is_creator, shares_organization=shared.exists())
    )


@pytest.fixture
def crowd() -> tuple[list[Product], list[User]]:
    """Three products and six people in twelve organizations, many of whom have nothing to do with each other."""
    chance = random.Random(SEED)  # noqa: S311 - as above
    products = [make_product(f"product-{number}") for number in range(3)]
    people = [make_user() for _ in range(6)]
    for number in range(12):
        kind = chance.choice([OrganizationKind.INDIVIDUAL, OrganizationKind.TEAM])
        organization = make_organization(f"Organization {number}", kind=kind)
        for product in chance.sample(products, chance.randint(0, 2)):
            make_product(product.slug, organization)
        for person in chance.sample(people, chance.randint(1, 3)):
            make_membership(organization, person, chance.choice([MembershipRole.OWNER, MembershipRole.ADMIN]))
    for person in people:
        User.objects.filter(pk=person.pk).update(created_by_product=chance.choice([None, *products]))
    return products, list(User.objects.filter(pk__in=[person.pk for person in people]))


def test_a_person_is_asked_for_in_sql_as_the_rule_says(crowd: tuple[list[Product], list[User]]) -> None:
    """Whose account a person's is, and which products may use it."""
    products, people = crowd
    asked = Counter[object]()
    with connection.cursor() as cursor:
        for person in people:
            own = Organization.objects.filter(
                kind=OrganizationKind.INDIVIDUAL, memberships__user=person, memberships__role=MembershipRole.OWNER
            )
            first = _own_account(person.pk)
            sent = "SELECT credits_account_of('user', %s), credits_account_of('organization', %s)"
            cursor.execute(sent, [person.pk, person.pk])
            assert cursor.fetchone() == (first, person.pk)
            asked[len(own)] += 1
            for product in products:
                may = _may_use(product, person)
                cursor.execute("SELECT credits_may_use_person(%s, %s)", [product.pk, person.pk])
                assert cursor.fetchone() == (may,)
                asked[may] += 1
    assert min(asked[True], asked[False], asked[0], asked[1]) > 0, asked


@pytest.mark.slow
def test_facts_are_those_of_the_account_and_the_caller(crowd: tuple[list[Product], list[User]]) -> None:
    products, people = crowd
    wanted = "organization_id, user_exists, is_related, role"
    sent = f"SELECT {wanted} FROM credits_facts_3(%s, %s, %s, %s, %s, %s, NULL, 'unit')"
    asked = Counter[object]()
    with connection.cursor() as cursor:
        for organization, product in itertools.product(Organization.objects.all(), products):
            owners = organization.memberships.filter(role=MembershipRole.OWNER).select_related("user")
            is_tied = organization.product_relations.filter(product=product).exists()
            is_personal = organization.kind == OrganizationKind.INDIVIDUAL
            is_related = is_tied or (is_personal and any(_may_use(product, one.user) for one in owners))
            for person in people:
                role = organization.memberships.filter(user=person).values_list("role", flat=True).first()
                now = clock.now()
                cursor.execute(sent, [now, now, product.pk, "organization", organization.pk, person.pk])
                assert cursor.fetchone() == (organization.pk, True, is_related, role)
                asked[role] += 1
            asked["personal, by its owner"] += is_related and not is_tied
            asked[is_related] += 1
        for person_id, exists in (*((person.pk, True) for person in people), (uuid.uuid4(), False)):
            cursor.execute(sent, [clock.now(), clock.now(), products[0].pk, "user", person_id, None])
            account, *told = cursor.fetchone()
            assert (account, told[0]) == (_own_account(person_id), exists)
            asked["of a person"] += account is not None
    wanted_all = (True, False, None, "owner", "admin", "personal, by its owner", "of a person")
    assert min(asked[key] for key in wanted_all) > 0, asked


def test_what_became_of_a_key() -> None:
    kept = {
        "scope": "product:x",
        "operation": "consume",
        "body_hash": "a" * 64,
        "answer": {},
        "created_at": clock.now(),
    }
    IdempotencyRecord.objects.create(**kept, key="answered", outcome=IdempotencyOutcome.ANSWERED, status=200)
    IdempotencyRecord.objects.create(**kept, key="refused", outcome=IdempotencyOutcome.REFUSED)
    cases = {
        ("answered", "consume", "a" * 64): "replayed",
        ("answered", "consume", "b" * 64): "reused",
        ("answered", "grant", "a" * 64): "reused",
        ("refused", "consume", "a" * 64): "refused_before",
        ("refused", "consume", "b" * 64): "reused",
        ("new", "consume", "a" * 64): None,
    }
    with connection.cursor() as cursor:
        for (key, endpoint, digest), meant in cases.items():
            cursor.execute(
                "SELECT credits_key_outcome(r, %s, %s) FROM (SELECT) one "
                "LEFT JOIN core_idempotencyrecord r ON r.key = %s",
                [endpoint, digest, key],
            )
            assert cursor.fetchone() == (meant,), (key, endpoint, digest)


def test_free_quantity_is_counted_for_its_account_product_operation_and_month_alone() -> None:
    accounts, products = [make_place(f"red-{number}").account.pk for number in range(2)], Product.objects.all()[:2]
    months = [date(2026, 3, 1), date(2026, 4, 1)]
    places = list(itertools.product(accounts, [product.pk for product in products], ["render", "scan"], months))
    for account, product, operation, month in places[1:]:
        FreeQuantity.objects.create(account_id=account, product_id=product, operation=operation, month=month, used=10)
    used = dict.fromkeys(places[1:], 10)
    with connection.cursor() as cursor:
        # The first place has no row yet; nothing is no reason to make one.
        for place, quantity in ((places[0], 0), (places[5], -3), (places[5], 2), (places[0], 4), (places[9], 0)):
            cursor.execute("SELECT credits_use_free(%s, %s, %s, %s, %s)", [*place, quantity])
            if quantity:
                used[place] = used.get(place, 0) + quantity
            rows = FreeQuantity.objects.values_list("account", "product", "operation", "month", "used")
            assert {tuple(row[:4]): row[4] for row in rows} == used, (place, quantity)


@pytest.mark.parametrize(
    ("difference", "local", "charge", "noted", "decision"),
    [
        ("amount", 95, 100, "rounding", "allow"),
        ("amount", 105, 100, "rounding", "allow"),
        ("amount", 94, 100, "amount", "allow"),
        ("amount", 106, 100, "amount", "allow"),
        ("run_charged_before", 100, 100, "run_charged_before", "allow"),
        ("run_charged_before", None, 100, "run_charged_before", ""),
    ],
)
def test_a_difference_within_one_quantum_of_the_price_is_rounding(
    difference: str, local: int | None, charge: int, noted: str, decision: str
) -> None:
    """The quantum is that of the product, version and operation of the entry, whatever others have."""
    place, other = make_place("red"), make_place("blue")
    for at, quantum in ((place, 5), (other, 50)):
        prices = [Price("unit", "piece", 100, quantum=quantum), Price("scan", "file", 100, quantum=50)]
        credit_policy_publish_prices(console_context(), product_id=ProductId(at.product.pk), prices=prices)
        prices = [Price("unit", "piece", 100, quantum=50)]
        credit_policy_publish_prices(console_context(), product_id=ProductId(at.product.pk), prices=prices)
    give(place, 1_000)
    [answer] = credits_consume_batch(place.context, consumptions=[consumption(place, operation="unit", quantity=1)])
    assert isinstance(answer, Answer)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT credits_note_drift(%s, %s, jsonb_populate_record(e, jsonb_build_object("
            "'local_charge', %s::bigint, 'policy_version', 2)), 7, %s) FROM credits_creditentry e WHERE e.id = %s",
            [difference, place.product.pk, local, charge, str(answer.body["entry_id"])],
        )
    [line] = ShadowDisagreement.objects.all()
    assert (line.difference, line.central_code, line.local_decision) == (noted, noted, decision)
    assert (line.local_charge, line.central_charge, line.central_balance) == (local, charge, 7)
