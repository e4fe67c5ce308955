"""The page "Why?": the question about a person or a product, now or as of a moment, and its answer (spec 08).

The page also opens a decision that was given before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.backoffice.cells import page_url, page_url_of
from apps.backoffice.form_fields import typed_amount
from apps.backoffice.records.credits import describe_quantity, format_credits
from apps.backoffice.records.decisions import names_of
from apps.backoffice.workspace.answers import (
    Explanation,
    PricedOperation,
    askable_operations,
    explain,
    explain_use,
    product_operations,
)
from apps.backoffice.workspace.references import reference_link
from apps.backoffice.workspace.subject import WorkspaceSubject, read_as_of, subject_as_of, subject_now
from apps.core import clock
from apps.core.amounts import MalformedNumberError, NumberOutOfRangeError, format_micro, parse_quantity
from apps.core.emails import email_to_find
from apps.core.errors import NotFoundError, Reason
from apps.subscriptions.ids import DecisionReceiptId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.receipts import decision_receipt_of
from apps.tenants.models import Membership, User, Workspace

_DEFAULT_OPERATION = "connector.sync"
_SUGGESTIONS = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form holds. `use` is the product's operation that is asked about, None for one of people on pages."""

    operation: str
    use: PricedOperation | None
    person_text: str
    quantity_text: str

    @property
    def is_asked(self) -> bool:
        """Whether there is a question: about a product's operation nobody needs to be named."""
        return bool(self.person_text or self.use)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer in words: who, what, and the explanation."""

    who: str
    what: str
    explanation: Explanation

    @property
    def costs(self) -> str:
        """The price, where a price was found."""
        price = self.explanation.price
        return f"Price: {format_credits(price)} credits." if price is not None else ""


class _QuestionError(ValueError):
    """The question can't be asked; the message is for the page."""


def person_named(text: str) -> User | None:
    """The person with this id or e-mail address."""
    try:
        return User.objects.filter(pk=UUID(text.strip())).first()
    except ValueError:
        return User.objects.filter(email=email_to_find(text)).first()


def why_page(request: HttpRequest, workspace: Workspace, base: dict[str, Any]) -> HttpResponse:
    """The question, and the answer where one was asked."""
    receipt_url, problem = _asked_decision(request)
    if receipt_url:
        return HttpResponseRedirect(receipt_url)
    now = clock.now()
    asked_at = read_as_of(request.GET.get("at", ""), workspace, now)
    subject = subject_as_of(workspace, asked_at.moment) if asked_at.moment else subject_now(workspace)
    uses = product_operations(subject.organization_id)
    asked = _asked(request, uses)
    answered, problem = (None, problem or asked_at.problem) if problem or asked_at.problem else _answer(asked, subject)
    members = Membership.objects.filter(organization=workspace.organization_id).order_by("user_id")
    context = {
        **base,
        "title": "Why?",
        "original": workspace,
        "original_url": page_url(workspace),
        "subject": subject,
        "operations": askable_operations(),
        "products": [(name, list(some)) for name, some in groupby(uses, key=lambda use: use.product.name)],
        "members": members.values_list("user__email", flat=True)[:_SUGGESTIONS],
        "asked": asked,
        "asked_at": asked_at,
        "latest_moment": now.strftime("%Y-%m-%dT%H:%M"),
        "asked_decision": request.GET.get("decision", ""),
        "problem": problem,
        "answered": answered,
        "chain": _shown(answered.explanation.chain, subject) if answered else [],
    }
    return TemplateResponse(request, "backoffice/workspace/why.html", context)


def _asked(request: HttpRequest, uses: Sequence[PricedOperation]) -> Asked:
    operation = request.GET.get("operation", "")
    use = next((use for use in uses if use.value == operation), None)
    known = operation if use or operation in askable_operations() else _DEFAULT_OPERATION
    quantity = request.GET.get("quantity", "").strip() or "1"
    return Asked(known, use, request.GET.get("user", "").strip(), quantity)


def _answer(asked: Asked, subject: WorkspaceSubject) -> tuple[Answered | None, str]:
    """The answer, or why there is none."""
    if not asked.is_asked:
        return None, ""
    try:
        person = _person(asked.person_text)
        if asked.use is not None:
            return _answer_use(asked.use, _quantity(asked.quantity_text), person, subject), ""
    except _QuestionError as error:
        return None, str(error)
    if person is None:
        return None, "Name the person who is to do this."
    return Answered(person.email, asked.operation, explain(person, asked.operation, subject)), ""


def _answer_use(use: PricedOperation, quantity: int, person: User | None, subject: WorkspaceSubject) -> Answered:
    who = f"{person.email}, through {use.product.name}," if person else use.product.name
    what = f"{use.name}, {describe_quantity(quantity, use.unit)}"
    return Answered(who, what, explain_use(use, quantity, person, subject))


def _person(text: str) -> User | None:
    person = person_named(text) if text else None
    if text and person is None:
        raise _QuestionError("There is nobody with this id or e-mail address.")
    return person


def _quantity(text: str) -> int:
    try:
        return parse_quantity(format_micro(typed_amount(text)))
    except (MalformedNumberError, NumberOutOfRangeError) as error:
        raise _QuestionError(f"Quantity: {error}") from None


def _shown(chain: Sequence[Reason], subject: WorkspaceSubject) -> list[tuple[Reason, str, str, str]]:
    """Each step, its rule in words, its fact with names, and a link to the record that it rests on."""
    names = names_of(step.fact for step in chain)
    return [
        (
            step,
            step.rule.replace("_", " ").capitalize(),
            names.put_into(step.fact),
            reference_link(step.record, subject.workspace_id) if step.record else "",
        )
        for step in chain
    ]


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
