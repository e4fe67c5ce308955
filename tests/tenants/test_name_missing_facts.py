"""Why somebody is no member: each fact in its sentence, and who may read which (spec 01, Every answer; spec 02)."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.test import Client

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, ProductId, UserId
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.enums import DriftClass, DriftResolution, ReconciliationStatus, ReportSource, StopReason
from apps.tenants.missing_rules import MissingFacts, Report, explain_missing
from apps.tenants.models import MembershipDrift, Product, ReconciliationRun, ReportedMember, User
from apps.tenants.selectors.missing import missing_memberships
from apps.tenants.services import member_remove
from tests.contexts import console_context
from tests.credits.cast import Place, make_place
from tests.factories.tenants import make_membership, make_product, make_token, make_user
from tests.sent import statements

ORGANIZATION, USER = uuid.UUID(int=1), uuid.UUID(int=2)
DAY = datetime(2026, 4, 3, 12, tzinfo=UTC)
NONE = MissingFacts(ORGANIZATION, USER, product="red")
DRIFT = Report("red", "membership_drift:7", DAY, drift_class=DriftClass.MISSING_HERE)
RUN = Report("red", "reconciliation_run:9", DAY, run_status=ReconciliationStatus.WAITING)
REPORTED = "product red reported that membership on 2026-04-03, reconciliation has not imported it: "


def facts(**values: Any) -> MissingFacts:
    return msgspec.structs.replace(NONE, **values)


def drift(drift_class: DriftClass, resolution: DriftResolution | None = None) -> MissingFacts:
    return facts(reports=(msgspec.structs.replace(DRIFT, drift_class=drift_class, resolution=resolution),))


CASES: dict[str, tuple[MissingFacts, list[str]]] = {
    "a stranger": (NONE, ["no product's report of this membership"]),
    "a silent product": (facts(is_silent=True), ["product red has never reported any member", "no product's report"]),
    "an unknown user": (
        facts(is_user_known=False),
        ["no user of this id is known to product red here (POST users:upsert)"],
    ),
    "removed": (facts(removed_at=DAY), ["the membership ended on 2026-04-03"]),
    "removed by red": (
        facts(removed_at=DAY, removed_by="red"),
        ["the membership ended on 2026-04-03, as product red reported"],
    ),
    "drift": (drift(DriftClass.MISSING_HERE), [REPORTED + "the item of drift is open"]),
    "drift of an owner": (drift(DriftClass.OWNER_REPORTED), [REPORTED + "only the identity service and staff make"]),
    "drift, removed here": (drift(DriftClass.REMOVED_HERE), [REPORTED + "the report is not later than the end"]),
    "drift, unknown user": (drift(DriftClass.UNKNOWN_USER), [REPORTED + "the user was not known here"]),
    "drift, ignored": (
        drift(DriftClass.OWNER_REPORTED, DriftResolution.IGNORED),
        ["make owners, and staff ignored the difference"],
    ),
    "a run that waits": (facts(reports=(RUN,)), [REPORTED + "its run waits for a person"]),
    "why it waits": (
        facts(reports=(msgspec.structs.replace(RUN, stop_reason=StopReason.FIRST_RUN),)),
        [REPORTED + "its run waits for a person (large first run)"],
    ),
    "a run that goes on": (
        facts(reports=(msgspec.structs.replace(RUN, run_status=ReconciliationStatus.RUNNING),)),
        [REPORTED + "its run is not over yet"],
    ),
    "the product's own day": (
        facts(reports=(msgspec.structs.replace(DRIFT, reported_at=datetime(2026, 3, 1, tzinfo=UTC)),)),
        ["reported that membership on 2026-03-01"],
    ),
    "removed, and reported": (
        facts(removed_at=DAY, reports=(DRIFT,)),
        ["the membership ended on 2026-04-03; " + REPORTED],
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_fact_has_its_sentence(kind: str) -> None:
    known, parts = CASES[kind]
    reason = explain_missing(known)
    assert reason.fact.startswith(f"the membership authority has no row for user {USER}: ")
    assert [part for part in parts if part not in reason.fact] == []
    record = known.reports[0].record if known.reports else f"organization:{ORGANIZATION}"
    assert (reason.rule, reason.outcome, reason.record) == ("membership", "deny", record)


def test_each_class_of_drift_about_a_missing_member_has_words() -> None:
    # These are about a membership that we have.
    of_members = {DriftClass.MISSING_HERE, DriftClass.MISSING_THERE, DriftClass.ROLE_DIFFERS}
    told = {kind: explain_missing(drift(kind)).fact for kind in DriftClass if kind not in of_members}
    assert len(set(told.values())) == len(told)


@pytest.fixture
def place(db: None) -> Place:
    return make_place(whole_credits=100)


def known_to(product: Product, **values: Any) -> User:
    user = make_user(**values)
    User.objects.filter(pk=user.pk).update(created_by_product=product)
    return user


def store_drift(place: Place, product: Product, user_id: uuid.UUID, kind: DriftClass) -> MembershipDrift:
    now = clock.now()
    return MembershipDrift.objects.create(
        organization=place.organization, user_id=user_id, product=product, drift_class=kind, reported="owner",
        reported_at=DAY, first_seen_at=now, last_seen_at=now,
    )  # fmt: skip


def store_run(place: Place, product: Product, user_id: uuid.UUID) -> ReconciliationRun:
    run = ReconciliationRun.objects.create(
        product=product, source=ReportSource.SNAPSHOT, snapshot_id=uuid.uuid4(), status=ReconciliationStatus.WAITING,
        stop_reason=StopReason.SHRUNKEN, received=1, requested_by="red", created_at=clock.now(),
    )  # fmt: skip
    ReportedMember.objects.create(
        run=run, organization_id=place.organization.pk, user_id=user_id, role="member", changed_at=DAY
    )
    return run


def ask(place: Place, product: Product, user_id: object) -> dict[str, str]:
    """What product and staff are told: the same denial by four ways, and the page's."""
    headers = {"authorization": f"Bearer {make_token(product)}"}
    account = {"type": "organization", "id": str(place.organization.pk)}
    asked = {"account": account, "operation": "fix_run", "quantity": "1", "user_id": str(user_id)}
    run = {**asked, "outcome": "succeeded"}
    api = "/api/v1/internal"

    def post(path: str, body: object) -> Any:
        answer = Client().post(f"{api}/{path}", json.dumps(body), content_type="application/json", headers=headers)
        return answer.json()

    balance = f"{api}/accounts/organization/{place.organization.pk}/balance?acting_user_id={user_id}"
    answers = {
        "authorize": post("credits:authorize", asked),
        "consume": post("credits:consume", {**run, "idempotency_key": uuid.uuid4().hex}),
        "balance": Client().get(balance, headers=headers).json(),
    }
    assert {answer["code"] for answer in answers.values()} == {"not_a_member"}
    facts = {name: denied(answer["explanation"]) for name, answer in answers.items()}
    receipt = DecisionReceipt.objects.get(pk=answers["consume"]["decision_id"])
    facts["receipt"] = denied(receipt.chain)
    assert len(set(facts.values())) == 1, facts
    return {"fact": facts["consume"][0], "record": facts["consume"][1]}


def denied(chain: list[dict[str, str]]) -> tuple[str, str]:
    [step] = [step for step in chain if step["outcome"] == "deny"]
    return step["fact"], step["record"]


def staff_reads(place: Place, product: Product, user_id: uuid.UUID) -> str:
    key = (place.organization.pk, user_id)
    return missing_memberships([key], product_id=product.pk, is_for_product=False)[key].fact


def test_a_removed_member_is_told_so_and_by_whom(place: Place) -> None:
    user, red = known_to(place.product), place.product
    organization_id, user_id = OrganizationId(place.organization.pk), UserId(user.pk)
    make_membership(place.organization, user)
    member_remove(
        replace(console_context(), product_id=ProductId(red.pk)), organization_id=organization_id, user_id=user_id
    )
    by_red = f"the membership ended on {clock.now():%Y-%m-%d}, as product red reported"
    assert by_red in ask(place, red, user.pk)["fact"]
    # Another product reads the day alone, as it might have read who is a member; staff read all of it.
    blue = make_product("blue", place.organization)
    assert "ended" not in ask(place, make_product("green", place.organization), user.pk)["fact"]
    make_membership(place.organization, user, MembershipRole.VIEWER)
    member_remove(
        replace(console_context(), product_id=ProductId(red.pk)), organization_id=organization_id, user_id=user_id
    )
    told = ask(place, blue, user.pk)["fact"]
    assert f"the membership ended on {clock.now():%Y-%m-%d}" in told
    assert "product red" not in told
    assert by_red in staff_reads(place, blue, user.pk)


def test_a_report_that_was_not_imported_is_named_with_its_record(place: Place) -> None:
    red, waits, drifts = place.product, make_user(), make_user()
    kept = store_drift(place, red, drifts.pk, DriftClass.OWNER_REPORTED)
    told = ask(place, red, drifts.pk)
    assert "product red reported that membership on 2026-04-03" in told["fact"]
    assert told["record"] == f"membership_drift:{kept.pk}"
    run = store_run(place, red, waits.pk)
    told = ask(place, red, waits.pk)
    assert "reported that membership on 2026-04-03, reconciliation has not imported it: its run waits" in told["fact"]
    assert told["record"] == f"reconciliation_run:{run.pk}"
    # What is over says nothing any more.
    now = clock.now()
    ReconciliationRun.objects.update(status=ReconciliationStatus.DISCARDED, finished_at=now)
    assert "its run" not in ask(place, red, waits.pk)["fact"]


def test_a_product_learns_nothing_of_people_whom_it_does_not_know(place: Place) -> None:
    blue = make_product("blue", place.organization)
    foreign, nobody = make_user(), uuid.uuid4()
    for user_id in (foreign.pk, nobody):
        store_drift(place, blue, user_id, DriftClass.OWNER_REPORTED)
        store_run(place, blue, user_id)
    said = {ask(place, place.product, user_id)["fact"].replace(str(user_id), "") for user_id in (foreign.pk, nobody)}
    assert len(said) == 1
    assert "blue" not in said.pop()
    assert "product blue reported that membership" in staff_reads(place, place.product, foreign.pk)


def test_a_denial_costs_one_statement_more_and_a_batch_of_them_no_more(place: Place) -> None:
    users = [str(make_user().pk) for _ in range(3)]
    account = {"type": "organization", "id": str(place.organization.pk)}
    items = [
        {
            "account": account, "operation": "fix_run", "quantity": "1", "outcome": "succeeded", "user_id": user,
            "idempotency_key": user,
        }
        for user in users
    ]  # fmt: skip
    headers = {"authorization": f"Bearer {make_token(place.product)}"}
    api = "/api/v1/internal/credits:consume"
    Client().post(api, json.dumps({**items[0], "idempotency_key": "x"}), "application/json", headers=headers)
    with statements() as sent:
        Client().post(api, json.dumps(items[0]), "application/json", headers=headers)
    assert len(sent) == 3, sent
    with statements() as sent:
        answer = Client().post(api + "-batch", json.dumps({"items": items[1:]}), "application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    assert len(sent) == 3, sent
