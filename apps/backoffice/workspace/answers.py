"""The answers of "Why?": what a request would get, with each rule tried on the way, in order (spec 08).

Asks the same resolvers as a request would: for what people do on pages the access context, the operation's gate and the
lifecycle; for what a product asks the decision about credits. As of a moment they get the facts of then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleNeed, Role
from apps.core.errors import ForbiddenError, Reason
from apps.core.ids import OrganizationId, UserId
from apps.core.observability import current_request_id
from apps.core.operations import OPERATIONS, require
from apps.credits.contracts import AccountRef, Question
from apps.credits.enums import AccountType
from apps.credits.selectors.policies import priced_operations
from apps.credits.selectors.statement import used_products
from apps.credits.services.explanations import credits_explain
from apps.subscriptions.enums import Verdict
from apps.subscriptions.rules.answers import lifecycle_answer
from apps.tenants.access import platform_role, tenant_facts
from apps.tenants.contracts import AccessFacts, EntryPoint, NamedTenant, Person, TenantFacts
from apps.tenants.history import RoleThen, member_as_of, platform_role_as_of
from apps.tenants.models import Product, User
from apps.tenants.resolver import Denial, resolve

ALLOW, DENY, PASS = Verdict.ALLOW.value, Verdict.DENY.value, "pass"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict with the whole chain. `gaps` says what of a past moment is not known; `price` is in micro-credits."""

    is_allowed: bool
    chain: tuple[Reason, ...]
    gaps: tuple[str, ...] = ()
    price: int | None = None


@dataclass(frozen=True, slots=True)
class PricedOperation:
    """An operation of a product that has or had a price."""

    product: Product
    name: str
    unit: str

    @property
    def value(self) -> str:
        """What the form sends. Operations of our own have no colon."""
        return f"{self.product.slug}:{self.name}"


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the person is, in the organization and on the platform."""

    member: RoleThen
    platform: RoleThen
    is_active: bool

    @property
    def gaps(self) -> tuple[str, ...]:
        return tuple(gap for gap in (self.member.gap, self.platform.gap) if gap)


def askable_operations() -> list[str]:
    """The operations that a person can do on pages at all."""
    return sorted(name for name, row in OPERATIONS.items() if row.tenant_role or row.platform_role)


def product_operations(organization_id: OrganizationId) -> list[PricedOperation]:
    """What the products of the organization ask prices for, by product; those of former policies too."""
    products = Product.objects.in_bulk(used_products(organization_id))
    found = priced_operations(sorted(products), clock.now())
    rows = [PricedOperation(products[key], name, price.unit) for (key, name), price in found.items()]
    return sorted(rows, key=lambda row: (row.product.name, row.name))


def explain_use(
    operation: PricedOperation, quantity: int, person: User | None, subject: WorkspaceSubject
) -> Explanation:
    """What the product is answered that asks for this use, on the subject's moment; `quantity` in micro-units."""
    question = Question(
        account=AccountRef(AccountType.ORGANIZATION, subject.organization_id),
        operation=operation.name,
        quantity=quantity,
        user_id=UUID(str(person.pk)) if person else None,
        workspace_id=subject.workspace_id,
    )
    answer = credits_explain(operation.product, question, at=subject.as_of)
    return Explanation(answer.is_allowed, answer.chain, answer.gaps, answer.price)


def explain(person: User, operation: str, subject: WorkspaceSubject) -> Explanation:
    """Whether the person may do the operation in the workspace on the subject's moment, rule by rule."""
    standing = _standing(person, subject)
    gaps = list(standing.gaps)
    if subject.as_of is not None and not person.is_active:
        gaps.append("The account is deactivated today. Since when is not recorded; taken as active then.")
    chain = [_activity(person, is_active=standing.is_active)]
    context, access = _access(person, standing, operation, subject.organization_id)
    chain.extend(access)
    if context is not None:
        chain.append(_gate(context, operation))
        chain.extend(_lifecycle(context.role, operation, subject))
    is_allowed = all(step.outcome != DENY for step in chain)
    return Explanation(is_allowed, tuple(chain), tuple(gaps))


def _standing(person: User, subject: WorkspaceSubject) -> _Standing:
    at: datetime | None = subject.as_of
    user_id = UserId(person.pk)
    if at is not None:
        member = member_as_of(subject.organization_id, user_id, at)
        return _Standing(member, platform_role_as_of(person, at), is_active=True)
    tenant = tenant_facts(subject.organization_id, user_id=user_id)
    member = RoleThen(tenant.membership_role if tenant else None)
    return _Standing(member, RoleThen(platform_role(person)), person.is_active)


def _activity(person: User, *, is_active: bool) -> Reason:
    fact = "the account is active" if is_active else "the account is deactivated and can't sign in"
    return Reason("account", PASS if is_active else DENY, fact, f"user:{person.pk}")


def _access(
    person: User, standing: _Standing, operation: str, organization_id: OrganizationId
) -> tuple[ExecutionContext | None, list[Reason]]:
    """The person's context at the door that the operation stands behind, and how the role came about."""
    found = tenant_facts(organization_id)
    tenant = replace(found, membership_role=standing.member.role) if found else None
    role = standing.platform.role
    where = f"organization:{organization_id}"
    steps = [_membership(tenant, where), _platform(role, person)]
    is_tenants = OPERATIONS[operation].tenant_role is not None
    facts = AccessFacts(
        entry_point=EntryPoint.TENANT_PAGE if is_tenants else EntryPoint.STAFF,
        principal=Person(UserId(person.pk), person.email, role),
        request_id=current_request_id(),
        named=(NamedTenant("the workspace", organization_id),),
        tenant=tenant,
    )
    outcome = resolve(facts)
    if isinstance(outcome, Denial):
        return None, [*steps, Reason("access", DENY, outcome.detail, where)]
    fact = f"acts here as {Role(outcome.role).label.lower()}"
    return outcome, [*steps, Reason("access", PASS, fact, where)]


def _membership(tenant: TenantFacts | None, where: str) -> Reason:
    if tenant is None or tenant.membership_role is None:
        demo = ", which is a demo that everybody may look at" if tenant and tenant.is_demo else ""
        return Reason("membership", PASS, f"is no member of the organization{demo}", where)
    return Reason("membership", PASS, f"is {tenant.membership_role.value} of the organization", where)


def _platform(role: Role | None, person: User) -> Reason:
    fact = f"has the platform role {role.value}, behind the second factor" if role else "has no platform role"
    return Reason("platform_role", PASS, fact, f"user:{person.pk}")


def _gate(context: ExecutionContext, operation: str) -> Reason:
    try:
        require(context, operation)
    except ForbiddenError as error:
        fact = error.explanation[0].fact if error.explanation else error.detail
        return Reason("operation", DENY, fact)
    row = OPERATIONS[operation]
    needed = " or ".join(gate.value for gate in (row.tenant_role, row.platform_role) if gate)
    return Reason("operation", ALLOW, f"{operation} needs {needed} or above, which {context.role.value} reaches")


def _lifecycle(role: Role, operation: str, subject: WorkspaceSubject) -> list[Reason]:
    if OPERATIONS[operation].lifecycle is LifecycleNeed.NOTHING:
        return [Reason("lifecycle", PASS, f"{operation} does not depend on the lifecycle")]
    return list(lifecycle_answer(subject.facts, operation, role).chain)
