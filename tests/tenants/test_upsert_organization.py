"""organization_upsert, workspace_upsert and user_upsert: made once with all that belongs to them, changed by few."""

from __future__ import annotations

import threading
import uuid
from collections import Counter

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from apps.core.enums import MembershipRole, Scope
from apps.core.errors import ConflictError, UnprocessableError
from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.core.models import AuditEntry, OutboxItem
from apps.tenants.enums import OrganizationKind, RelationSource
from apps.tenants.models import Membership, Organization, ProductRelation, User, Workspace
from apps.tenants.services import organization_upsert, user_upsert, workspace_upsert
from apps.tenants.services.organizations import OrganizationParams
from tests.contexts import console_context, identity_context, product_context
from tests.factories.tenants import make_organization, make_product, make_user, make_workspace

TEAM = OrganizationParams(name="Northwind Traders", kind=OrganizationKind.TEAM)


def new_id() -> OrganizationId:
    return OrganizationId(uuid.uuid4())


@pytest.mark.django_db
def test_a_new_organization_has_its_relation_owner_and_customers_at_once_and_repeating_makes_nothing_twice() -> None:
    product, owner, organization_id = make_product("red"), make_user(), new_id()
    params = OrganizationParams(name="Northwind", kind=OrganizationKind.TEAM, owner_user_id=UserId(owner.pk))

    outcomes = [
        organization_upsert(product_context(product), organization_id=organization_id, params=params) for _ in range(3)
    ]

    assert [outcome.is_created for outcome in outcomes] == [True, False, False]
    assert Membership.objects.get(organization=organization_id).role == MembershipRole.OWNER
    assert ProductRelation.objects.get(organization=organization_id).source == RelationSource.CREATED
    customers = OutboxItem.objects.filter(organization_id=organization_id)
    assert sorted(customers.values_list("kind", "status")) == [
        ("orb.create_customer", "pending"),
        ("stripe.create_customer", "pending"),
    ]
    assert AuditEntry.objects.filter(organization_id=organization_id, event="organization.created").count() == 1


@pytest.mark.django_db
def test_a_demo_organization_sends_nothing_outside() -> None:
    organization = make_organization(is_demo=True)
    statuses = set(OutboxItem.objects.filter(organization_id=organization.pk).values_list("status", flat=True))
    assert statuses == {"suppressed"}


@pytest.mark.django_db
def test_the_kind_never_changes_neither_by_service_nor_by_sql() -> None:
    organization = make_organization()
    params = OrganizationParams(name=organization.name, kind=OrganizationKind.INDIVIDUAL)
    with pytest.raises(ConflictError) as refused:
        organization_upsert(console_context(), organization_id=OrganizationId(organization.pk), params=params)
    assert refused.value.problem_code == "kind_is_fixed"
    for change in ({"kind": "individual"}, {"is_demo": True}):
        with pytest.raises(ProgrammingError), transaction.atomic():
            Organization.objects.filter(pk=organization.pk).update(**change)
    organization.refresh_from_db()
    assert (organization.kind, organization.is_demo) == ("team", False)


@pytest.mark.django_db
def test_a_taken_slug_and_an_unknown_owner_are_refused_and_nothing_is_made() -> None:
    make_organization("First")
    taken = Organization.objects.get().slug
    for params, code in (
        (OrganizationParams(name="Second", kind=OrganizationKind.TEAM, slug=taken), "slug_taken"),
        (
            OrganizationParams(name="Second", kind=OrganizationKind.TEAM, owner_user_id=UserId(uuid.uuid4())),
            "unknown_user",
        ),
    ):
        with pytest.raises((ConflictError, UnprocessableError)) as refused:
            organization_upsert(console_context(), organization_id=new_id(), params=params)
        assert refused.value.problem_code == code
    assert Organization.objects.count() == 1


@pytest.mark.django_db
def test_names_slugs_and_zones_change_with_an_audit_entry_of_just_what_changed() -> None:
    organization = make_organization("Old name")
    organization_id = OrganizationId(organization.pk)
    params = OrganizationParams(name="New name", kind=OrganizationKind.TEAM, time_zone="Europe/Berlin")
    organization_upsert(console_context(), organization_id=organization_id, params=params)
    entry = AuditEntry.objects.get(organization_id=organization_id, event="organization.changed")
    assert entry.before == {"name": "Old name", "time_zone": "UTC"}
    assert entry.after == {"name": "New name", "time_zone": "Europe/Berlin"}


@pytest.mark.django_db(transaction=True)
def test_sixteen_first_upserts_at_once_make_one_organization_and_two_customers() -> None:
    product, organization_id = make_product("red"), new_id()
    barrier, outcomes = threading.Barrier(16), Counter[bool]()

    def run() -> None:
        try:
            barrier.wait()
            upserted = organization_upsert(product_context(product), organization_id=organization_id, params=TEAM)
            outcomes[upserted.is_created] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {True: 1, False: 15}
    assert OutboxItem.objects.filter(organization_id=organization_id).count() == 2


@pytest.mark.django_db
def test_two_workspaces_do_not_share_a_slug() -> None:
    organization, other = make_organization(), make_organization("Contoso")

    def upsert(of: Organization, workspace_id: WorkspaceId, slug: str) -> Workspace:
        organization_id = OrganizationId(of.pk)
        context = console_context(organization_id)
        return workspace_upsert(
            context, workspace_id=workspace_id, organization_id=organization_id, name="Main", slug=slug
        ).record

    first, second = WorkspaceId(uuid.uuid4()), WorkspaceId(uuid.uuid4())
    upsert(organization, first, "main")
    before = list(Workspace.objects.values())
    with pytest.raises(ConflictError) as refusal:
        upsert(other, second, "main")
    assert refusal.value.problem_code == "slug_taken"
    assert list(Workspace.objects.values()) == before
    # Its own slug is nobody else's.
    assert upsert(organization, first, "main").slug == "main"


@pytest.mark.django_db
def test_a_workspace_is_made_once_and_stays_with_its_organization() -> None:
    organization, other = make_organization("One"), make_organization("Two")
    workspace_id, organization_id = WorkspaceId(uuid.uuid4()), OrganizationId(organization.pk)
    outcomes = [
        workspace_upsert(
            console_context(), workspace_id=workspace_id, organization_id=organization_id, name="Production"
        ).is_created
        for _ in range(2)
    ]
    assert outcomes == [True, False]
    assert AuditEntry.objects.filter(workspace_id=workspace_id).count() == 1
    with pytest.raises(ProgrammingError), transaction.atomic():
        Workspace.objects.filter(pk=workspace_id).update(organization=other)


@pytest.mark.django_db
def test_an_overlay_without_a_reason_is_refused_by_the_database() -> None:
    workspace = make_workspace(make_organization())
    with pytest.raises(IntegrityError), transaction.atomic():
        Workspace.objects.filter(pk=workspace.pk).update(manual_lifecycle_state="active")


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["creator", "identity", "console", "stranger"])
def test_a_user_is_changed_by_the_product_that_made_it_or_by_the_identity_service(who: str) -> None:
    red, blue, identity = make_product("red"), make_product("blue"), make_product("identity")
    user_id = UserId(uuid.uuid4())
    user_upsert(product_context(red), user_id=user_id, email="Ann@Example.com", name="Ann")
    context = {
        "creator": product_context(red),
        "identity": identity_context(identity),
        "console": console_context(),
        "stranger": product_context(blue),
    }[who]
    entries = AuditEntry.objects.count()

    outcome = user_upsert(context, user_id=user_id, email="ann@example.com", name="Ann Smith")

    is_allowed = who != "stranger"
    user = User.objects.get(pk=user_id)
    assert (outcome.is_created, outcome.is_applied) == (False, is_allowed)
    assert (user.email, user.name) == ("ann@example.com", "Ann Smith" if is_allowed else "Ann")
    assert AuditEntry.objects.count() == entries + is_allowed


@pytest.mark.django_db
def test_two_users_do_not_share_an_address_whatever_its_case() -> None:
    make_user("ann@example.com")
    with pytest.raises(ConflictError) as refused:
        user_upsert(console_context(), user_id=UserId(uuid.uuid4()), email="ANN@example.com", name="Other")
    assert refused.value.problem_code == "email_taken"


@pytest.mark.django_db
def test_nobody_is_a_superuser_not_even_by_sql() -> None:
    user = make_user()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_superuser=True)


@pytest.mark.django_db
def test_the_identity_service_makes_an_organization_without_becoming_related_to_it() -> None:
    identity = make_product("identity")
    organization_id = new_id()
    organization_upsert(identity_context(identity), organization_id=organization_id, params=TEAM)
    assert not ProductRelation.objects.exists()
    assert Scope.TENANTS_MANAGE in identity_context(identity).scopes


@pytest.mark.django_db
@pytest.mark.parametrize("is_new", [True, False])
def test_a_zone_that_the_database_does_not_know_is_refused(is_new: bool) -> None:
    """Python's list of zones may be younger than PostgreSQL's; months are cut in both."""
    organization_id = new_id() if is_new else OrganizationId(make_organization("Northwind").pk)
    before = list(Organization.objects.values_list("pk", "time_zone"))
    params = OrganizationParams(name="Northwind", kind=OrganizationKind.TEAM, time_zone="Mars/Olympus")
    with pytest.raises(UnprocessableError) as refusal:
        organization_upsert(console_context(), organization_id=organization_id, params=params)
    assert [error.field for error in refusal.value.errors] == ["time_zone"]
    assert list(Organization.objects.values_list("pk", "time_zone")) == before
