"""Organizations as products and the identity service provision them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import DataError, connection, transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole, Scope
from apps.core.errors import ConflictError, FieldError, UnprocessableError
from apps.core.free_text import refuse_key_like
from apps.core.ids import OrganizationId, UserId
from apps.core.locks import lock_name
from apps.tenants import billing_contact, bootstrap, events
from apps.tenants.access import personal_facts
from apps.tenants.enums import OrganizationKind, RelationSource
from apps.tenants.models import Organization, ProductRelation, User
from apps.tenants.personal_accounts import may_use_personal_account
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.members import membership_create
from apps.tenants.services.refusals import unknown_user
from apps.tenants.services.results import Upserted, change, values_of
from apps.tenants.slugs import slug_for

_KEPT = ("slug", "name", "kind", "time_zone", "billing_email", "is_demo")


@dataclass(frozen=True, slots=True)
class OrganizationParams:
    """What a caller wants an organization to be. None leaves a value as it is, or takes its default."""

    name: str
    kind: OrganizationKind
    slug: str | None = None
    time_zone: str | None = None
    billing_email: str | None = None
    owner_user_id: UserId | None = None
    is_demo: bool = False
    is_synthetic: bool = False


@transaction.atomic
def organization_upsert(
    context: ExecutionContext, *, organization_id: OrganizationId, params: OrganizationParams
) -> Upserted[Organization]:
    """Make the organization with everything that each one has, or bring what can change about it up to date.

    A new one gets its relation to the product that makes it, its owner, and what the bootstrap steps of other apps add,
    in this transaction. Raises `ConflictError` (`kind_is_fixed`, `slug_taken`)
    and `UnprocessableError` (`unknown_user`, or for a time zone).
    """
    lock_name(f"organization:{organization_id}")
    organization = organization_for_update(organization_id)
    if params.slug is not None:
        _guard_slug(params.slug, organization_id)
    if params.time_zone is not None and (organization is None or organization.time_zone != params.time_zone):
        guard_zone_of_database(params.time_zone)
    if organization is None:
        return Upserted(_create(context, organization_id, params), is_created=True)
    if organization.kind != params.kind:
        raise ConflictError(
            f"The organization is of kind {organization.kind}; the kind never changes. Send kind: {organization.kind}, "
            "or make another organization.",
            code="kind_is_fixed",
            title="The kind of an organization never changes",
        )
    return Upserted(_update(context, organization, params), is_created=False)


def _guard_slug(slug: str, organization_id: OrganizationId) -> None:
    refuse_key_like("slug", slug)
    lock_name(f"organization-slug:{slug}")
    if Organization.objects.filter(slug=slug).exclude(pk=organization_id).exists():
        raise ConflictError(
            f"The slug {slug} belongs to another organization. Choose another, or leave it out to have one made.",
            code="slug_taken",
            title="The slug is taken",
        )


def guard_zone_of_database(name: str) -> None:
    """Refuse a zone that Python knows and PostgreSQL does not: months are cut there too, at each consumption."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT now() AT TIME ZONE %s", [name])
    except DataError:
        said = f"Our database does not know the time zone {name}. Use another of the same offset for now."
        field = FieldError("time_zone", "impossible_value", said)
        raise UnprocessableError(said, errors=[field]) from None


def _create(context: ExecutionContext, organization_id: OrganizationId, params: OrganizationParams) -> Organization:
    owner = _owner(params.owner_user_id)
    if owner is not None and params.kind == OrganizationKind.INDIVIDUAL:
        _guard_person(context, UserId(owner.pk))
    context = context.within(organization_id, is_demo=params.is_demo)
    organization = Organization.objects.create(
        id=organization_id,
        slug=params.slug or slug_for(params.name, organization_id),
        name=params.name,
        kind=params.kind,
        time_zone=params.time_zone or "UTC",
        billing_email=params.billing_email or "",
        is_demo=params.is_demo,
        is_synthetic=params.is_synthetic,
    )
    audit_append(context, events.ORGANIZATION_CREATED, organization.audit_target, after=values_of(organization, *_KEPT))
    if context.product_id is not None and Scope.TENANTS_MANAGE not in context.scopes:
        ProductRelation.objects.create(
            product_id=context.product_id, organization=organization, source=RelationSource.CREATED
        )
    if owner is not None:
        membership_create(context, organization=organization, user=owner, role=MembershipRole.OWNER)
    bootstrap.run_all(context, organization_id=organization_id)
    return organization


def _guard_person(context: ExecutionContext, user_id: UserId) -> None:
    """A product makes no personal account for a user whom it may not speak of; they are as one who is unknown."""
    if context.product_id is None:
        return
    is_identity = Scope.TENANTS_MANAGE in context.scopes
    if not may_use_personal_account(personal_facts(context.product_id, user_id, is_identity_service=is_identity)):
        raise unknown_user("owner_user_id", user_id)


def _owner(user_id: UserId | None) -> User | None:
    if user_id is None:
        return None
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise unknown_user("owner_user_id", user_id)
    return user


def _update(context: ExecutionContext, organization: Organization, params: OrganizationParams) -> Organization:
    before = values_of(organization, *_KEPT)
    changed = change(
        organization,
        name=params.name,
        slug=params.slug or organization.slug,
        time_zone=params.time_zone or organization.time_zone,
        billing_email=params.billing_email or organization.billing_email,
    )
    if changed:
        audit_append(
            context,
            events.ORGANIZATION_CHANGED,
            organization.audit_target,
            before={field: before[field] for field in changed},
            after=values_of(organization, *changed),
        )
    if "billing_email" in changed:
        billing_contact.tell(context, OrganizationId(organization.pk), is_changed=True)
    return organization
