"""The page "Why?": what one person may do in the workspace, with each rule tried on the way, in order (spec 08).

Asks the same resolvers as a request of that person would: the access context, the operation's gate, the lifecycle.
The page also opens a decision that was given before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.backoffice.cells import page_url, page_url_of
from apps.backoffice.workspace.references import reference_link
from apps.backoffice.workspace.subject import WorkspaceSubject, subject_now
from apps.core.context import ExecutionContext
from apps.core.emails import email_to_find
from apps.core.enums import LifecycleNeed, Role
from apps.core.errors import ForbiddenError, NotFoundError, Reason
from apps.core.ids import OrganizationId, UserId
from apps.core.observability import current_request_id
from apps.core.operations import OPERATIONS, require
from apps.subscriptions.enums import Verdict
from apps.subscriptions.ids import DecisionReceiptId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.receipts import decision_receipt_of
from apps.subscriptions.rules.answers import lifecycle_answer
from apps.tenants.access import platform_role, tenant_facts
from apps.tenants.contracts import AccessFacts, EntryPoint, NamedTenant, Person, TenantFacts
from apps.tenants.models import Membership, User, Workspace
from apps.tenants.resolver import Denial, resolve

_DEFAULT_OPERATION = "connector.sync"
_SUGGESTIONS = 50
ALLOW, DENY, PASS = Verdict.ALLOW.value, Verdict.DENY.value, "pass"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict with the whole chain."""

    person: User
    operation: str
    is_allowed: bool
    chain: tuple[Reason, ...]


def askable_operations() -> list[str]:
    """The operations that a person can do at all."""
    return sorted(name for name, row in OPERATIONS.items() if row.tenant_role or row.platform_role)


def person_named(text: str) -> User | None:
    """The person with this id or e-mail address."""
    try:
        return User.objects.filter(pk=UUID(text.strip())).first()
    except ValueError:
        return User.objects.filter(email=email_to_find(text)).first()


def explain(person: User, operation: str, subject: WorkspaceSubject) -> Explanation:
    """Whether the person may do the operation in the workspace now, rule by rule."""
    chain = [_activity(person)]
    context, access = _access(person, operation, subject.organization_id)
    chain.extend(access)
    if context is not None:
        chain.append(_gate(context, operation))
        chain.extend(_lifecycle(context.role, operation, subject))
    is_allowed = all(step.outcome != DENY for step in chain)
    return Explanation(person, operation, is_allowed, tuple(chain))


def _activity(person: User) -> Reason:
    fact = "the account is active" if person.is_active else "the account is deactivated and can't sign in"
    return Reason("account", PASS if person.is_active else DENY, fact, f"user:{person.pk}")


def _access(
    person: User, operation: str, organization_id: OrganizationId
) -> tuple[ExecutionContext | None, list[Reason]]:
    """The person's context at the door that the operation stands behind, and how the role came about."""
    tenant = tenant_facts(organization_id, user_id=UserId(person.pk))
    role = platform_role(person)
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


# --- The page ----------------------------------------------------------------------------------------------------
def why_page(request: HttpRequest, workspace: Workspace, base: dict[str, Any]) -> HttpResponse:
    """The question, and the answer where one was asked."""
    receipt_url, problem = _asked_decision(request)
    if receipt_url:
        return HttpResponseRedirect(receipt_url)
    subject = subject_now(workspace)
    explanation, unknown = _asked_explanation(request, subject)
    chain = explanation.chain if explanation else ()
    members = Membership.objects.filter(organization=workspace.organization_id).order_by("user_id")
    context = {
        **base,
        "title": "Why?",
        "original": workspace,
        "original_url": page_url(workspace),
        "subject": subject,
        "operations": askable_operations(),
        "members": members.values_list("user__email", flat=True)[:_SUGGESTIONS],
        "asked_user": explanation.person.email if explanation else request.GET.get("user", ""),
        "asked_operation": _operation(request),
        "asked_decision": request.GET.get("decision", ""),
        "problem": problem or unknown,
        "explanation": explanation,
        "chain": [_shown(step, subject) for step in chain],
    }
    return TemplateResponse(request, "backoffice/workspace/why.html", context)


def _shown(step: Reason, subject: WorkspaceSubject) -> tuple[Reason, str, str]:
    """The step, its rule in words, and a link to the record that it rests on."""
    record = reference_link(step.record, subject.workspace_id) if step.record else ""
    return step, step.rule.replace("_", " ").capitalize(), record


def _operation(request: HttpRequest) -> str:
    asked = request.GET.get("operation", "")
    return asked if asked in askable_operations() else _DEFAULT_OPERATION


def _asked_explanation(request: HttpRequest, subject: WorkspaceSubject) -> tuple[Explanation | None, str]:
    named = request.GET.get("user", "")
    if not named.strip():
        return None, ""
    person = person_named(named)
    if person is None:
        return None, "There is nobody with this id or e-mail address."
    return explain(person, _operation(request), subject), ""


def _asked_decision(request: HttpRequest) -> tuple[str, str]:
    """The address of the decision that was asked for, or why there is none."""
    asked = request.GET.get("decision", "").strip()
    if not asked:
        return "", ""
    try:
        receipt = decision_receipt_of(DecisionReceiptId(UUID(asked)))
    except ValueError:
        return "", "That is no id of a decision; it is the decision_id of the denial."
    except NotFoundError as error:
        return "", error.detail
    return page_url_of(DecisionReceipt, receipt.pk), ""
