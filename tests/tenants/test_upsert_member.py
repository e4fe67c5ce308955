"""member_upsert and member_remove on real PostgreSQL: the authority's rules, and sixteen reporters at once."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection

from apps.core import clock
from apps.core.enums import MembershipRole
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry
from apps.tenants.models import Membership, Organization, User
from apps.tenants.services import member_remove, member_upsert
from tests.contexts import console_context, identity_context, product_context
from tests.factories.tenants import make_membership, make_organization, make_product, make_user

REPORTERS = 16


def ids(organization: Organization, user: User) -> tuple[OrganizationId, UserId]:
    return OrganizationId(organization.pk), UserId(user.pk)


def snapshot(organization: Organization) -> tuple[list[object], int]:
    rows: list[object] = list(Membership.objects.filter(organization=organization).order_by("user").values())
    return rows, AuditEntry.objects.filter(organization_id=organization.pk).count()


@pytest.mark.django_db
def test_a_first_report_creates_with_one_audit_entry_and_its_origin() -> None:
    organization, user = make_organization(), make_user()
    product = make_product("red", organization)
    context = product_context(product, OrganizationId(organization.pk))
    organization_id, user_id = ids(organization, user)
    entries = AuditEntry.objects.filter(organization_id=organization.pk, event="membership.created")

    outcome = member_upsert(context, organization_id=organization_id, user_id=user_id, role=MembershipRole.ADMIN)

    assert (outcome.is_created, outcome.is_applied) == (True, True)
    assert (outcome.record.role, outcome.record.origin, outcome.record.origin_product) == ("admin", "product", product)
    assert entries.count() == 1
    assert entries.get().after["user_id"] == str(user.pk)


@pytest.mark.django_db
def test_older_news_changes_nothing_and_is_said_not_to_be_applied() -> None:
    organization, user = make_organization(), make_user()
    organization_id, user_id = ids(organization, user)
    make_membership(organization, user, MembershipRole.ADMIN)
    before = snapshot(organization)

    outcome = member_upsert(
        console_context(),
        organization_id=organization_id,
        user_id=user_id,
        role=MembershipRole.VIEWER,
        changed_at=clock.now() - timedelta(days=1),
    )

    assert (outcome.is_created, outcome.is_applied) == (False, False)
    assert snapshot(organization) == before


@pytest.mark.django_db
def test_a_report_older_than_the_removal_does_not_bring_the_member_back() -> None:
    organization, user = make_organization(), make_user()
    organization_id, user_id = ids(organization, user)
    make_membership(organization, user, MembershipRole.ADMIN)
    sent_at = clock.now()
    member_remove(console_context(), organization_id=organization_id, user_id=user_id)

    late = member_upsert(
        console_context(),
        organization_id=organization_id,
        user_id=user_id,
        role=MembershipRole.ADMIN,
        changed_at=sent_at,
    )
    assert (late.is_created, late.is_applied) == (False, False)
    assert not Membership.objects.filter(organization=organization, user=user).exists()

    fresh = member_upsert(
        console_context(), organization_id=organization_id, user_id=user_id, role=MembershipRole.VIEWER
    )
    assert (fresh.is_created, fresh.is_applied) == (True, True)


@pytest.mark.django_db
def test_a_product_may_not_grant_owner_but_the_identity_service_may() -> None:
    organization, user = make_organization(), make_user()
    organization_id, user_id = ids(organization, user)
    product, identity = make_product("red", organization), make_product("identity")
    before = snapshot(organization)

    with pytest.raises(ForbiddenError) as refused:
        member_upsert(
            product_context(product), organization_id=organization_id, user_id=user_id, role=MembershipRole.OWNER
        )
    assert refused.value.problem_code == "owner_not_grantable"
    assert refused.value.explanation[0].rule == "owner_grant"
    assert snapshot(organization) == before

    outcome = member_upsert(
        identity_context(identity), organization_id=organization_id, user_id=user_id, role=MembershipRole.OWNER
    )
    assert (outcome.record.role, outcome.record.origin) == ("owner", "identity")


@pytest.mark.django_db
def test_the_last_owner_can_be_neither_demoted_nor_removed() -> None:
    owner = make_user()
    organization = make_organization(owner=owner)
    organization_id, user_id = ids(organization, owner)
    before = snapshot(organization)

    with pytest.raises(ConflictError, match="last owner"):
        member_upsert(console_context(), organization_id=organization_id, user_id=user_id, role=MembershipRole.VIEWER)
    with pytest.raises(ConflictError, match="last owner"):
        member_remove(console_context(), organization_id=organization_id, user_id=user_id)
    assert snapshot(organization) == before

    make_membership(organization, make_user(), MembershipRole.OWNER)
    member_remove(console_context(), organization_id=organization_id, user_id=user_id)
    assert not Membership.objects.filter(organization=organization, user=owner).exists()


@pytest.mark.django_db
def test_unknown_ids_and_times_ahead_are_refused_and_change_nothing() -> None:
    organization, user = make_organization(), make_user()
    organization_id, user_id = ids(organization, user)
    before = snapshot(organization)
    nobody, nowhere = UserId(uuid.uuid4()), OrganizationId(uuid.uuid4())
    member = MembershipRole.MEMBER

    with pytest.raises(UnprocessableError, match="users:upsert"):
        member_upsert(console_context(), organization_id=organization_id, user_id=nobody, role=member)
    with pytest.raises(NotFoundError, match="organizations:upsert"):
        member_upsert(console_context(), organization_id=nowhere, user_id=user_id, role=member)
    with pytest.raises(UnprocessableError, match="5 minutes ahead"):
        member_upsert(
            console_context(),
            organization_id=organization_id,
            user_id=user_id,
            role=member,
            changed_at=clock.now() + timedelta(minutes=6),
        )
    with pytest.raises(NotFoundError, match="not a member"):
        member_remove(console_context(), organization_id=organization_id, user_id=user_id)
    assert snapshot(organization) == before


def _race(organization: Organization, user: User, report: object) -> Counter[bool]:
    """Sixteen threads report the same first membership at once; how many said that they created it."""
    barrier = threading.Barrier(REPORTERS)
    outcomes: Counter[bool] = Counter()
    lock = threading.Lock()

    def run() -> None:
        try:
            barrier.wait()
            is_created = report(organization, user)  # type: ignore[operator]
            with lock:
                outcomes[is_created] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(REPORTERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _report(organization: Organization, user: User) -> bool:
    organization_id, user_id = ids(organization, user)
    return member_upsert(
        console_context(organization_id), organization_id=organization_id, user_id=user_id, role=MembershipRole.ADMIN
    ).is_created


def _report_without_lock(organization: Organization, user: User) -> bool:
    """The negative control: look first, then write. More than one believes that it created the membership."""
    exists = Membership.objects.filter(organization=organization, user=user).exists()
    connection.cursor().execute("SELECT pg_sleep(0.05)")
    if not exists:
        Membership.objects.bulk_create(
            [
                Membership(
                    organization=organization, user=user, role="admin", origin="console", role_changed_at=clock.now()
                )
            ],
            ignore_conflicts=True,
        )
    return not exists


@pytest.mark.django_db(transaction=True)
def test_sixteen_first_reports_at_once_make_one_membership_and_one_audit_entry() -> None:
    organization, user = make_organization(), make_user()

    outcomes = _race(organization, user, _report)

    assert outcomes == {True: 1, False: REPORTERS - 1}
    assert Membership.objects.filter(organization=organization).count() == 1
    assert AuditEntry.objects.filter(organization_id=organization.pk, event="membership.created").count() == 1

    control = _race(organization, make_user(), _report_without_lock)
    assert control[True] > 1, "the control must show the fault that this test looks for"
