"""The page that asks "Why?" of a workspace, or opens a decision that was given (spec 08)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.backoffice.display import page_url, page_url_of
from apps.backoffice.workspace.explanation import Explanation, askable_operations, explain, person_named
from apps.backoffice.workspace.references import reference_link
from apps.backoffice.workspace.subject import WorkspaceSubject, subject_now
from apps.core.errors import NotFoundError, Reason
from apps.subscriptions.ids import DecisionReceiptId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.receipts import decision_receipt_of
from apps.tenants.models import Membership, Workspace

_DEFAULT_OPERATION = "connector.sync"
_SUGGESTIONS = 50


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
