"""One entry, hold, grant or decision of the product's own, by its id; and the end of a grant (spec 09, Credits)."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.amounts import format_micro
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.ids import OrganizationId
from apps.core.wire.pagination import PAGE_PARAMETERS, page_of, page_parts, page_request
from apps.core.wire.schema import PAGE_QUERY, Example, documented
from apps.credits.api import read_examples as examples
from apps.credits.api.hot import json_answer
from apps.credits.api.read_bodies import (
    BurnsPage,
    DecisionAnswer,
    HoldRecordAnswer,
    OneEntryAnswer,
    VoidAnswer,
    VoidBody,
)
from apps.credits.api.rendering import entries_values, hold_values
from apps.credits.api.views import answered
from apps.credits.enums import Owned
from apps.credits.models import CreditEntry, CreditGrant, GrantBurn, Hold
from apps.credits.ownership import entry_owner, require_own
from apps.credits.refusals import unknown_entry, unknown_grant, unknown_hold
from apps.credits.selectors.records import burns_of_entry, given_back_of, unpaid_of
from apps.credits.services import account_apply_due
from apps.credits.services.voids import grant_void
from apps.subscriptions.ids import DecisionReceiptId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.receipts import decision_receipt_of, replay_now
from apps.tenants.api.base import ProductView
from apps.tenants.contracts import NamedTenant


class RecordView(ProductView):
    """A view of one record that is named by its id alone."""

    def own_context(
        self, request: Request, kind: Owned, record_id: UUID, account_id: UUID | None, owner: UUID | None
    ) -> ExecutionContext:
        """The context for the record's organization, of a caller who owns the record."""
        named = [NamedTenant(f"the {kind.value} of the URL", OrganizationId(account_id))] if account_id else []
        context = self.context_for(request, *named)
        require_own(context, kind, record_id, owner)
        return context


class EntryView(RecordView):
    """One entry of the product's own, and which grants paid it."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}

    @documented(
        operation="credits.read",
        operation_id="credits_entry",
        responses={200: OneEntryAnswer},
        statuses=(404,),
        examples=(Example("entry", answer=examples.ONE_ENTRY),),
    )
    def get(self, request: Request, entry_id: UUID) -> HttpResponse:
        entry = CreditEntry.objects.select_related("grant").filter(pk=entry_id).first()
        if entry is None:
            raise unknown_entry(entry_id)
        owner = entry_owner(entry, entry.grant)
        context = self.own_context(request, Owned.ENTRY, entry.pk, entry.account_id, owner)
        account_apply_due(context, account_id=entry.account_id)
        (values,) = entries_values(context, [entry])
        values["paid_by"] = [
            {
                "grant_id": str(burn.grant_id),
                "grant_type": burn.grant.grant_type,
                "amount": format_micro(burn.amount),
            }
            for burn in burns_of_entry(entry.pk)
        ]
        values |= {"unpaid": format_micro(unpaid_of(entry.pk)), "given_back": format_micro(given_back_of(entry.pk))}
        return json_answer(values, 200)


class HoldView(RecordView):
    """One hold of the product's own, and what became of it."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}

    @documented(
        operation="credits.read",
        operation_id="credits_hold",
        responses={200: HoldRecordAnswer},
        statuses=(404,),
        examples=(Example("hold", answer=examples.HOLD),),
    )
    def get(self, request: Request, hold_id: UUID) -> HttpResponse:
        hold = Hold.objects.select_related("product").filter(pk=hold_id).first()
        if hold is None:
            raise unknown_hold(hold_id)
        context = self.own_context(request, Owned.HOLD, hold.pk, hold.account_id, hold.product_id)
        account_apply_due(context, account_id=hold.account_id)
        hold.refresh_from_db(fields=["status", "ended_at"])
        return json_answer(hold_values(context, hold), 200)


class BurnsView(RecordView):
    """What a grant of the product's own paid, the newest first."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": PAGE_PARAMETERS}

    @documented(
        operation="credits.read",
        operation_id="credits_grant_burns",
        responses={200: BurnsPage},
        statuses=(404, 422),
        query=PAGE_QUERY,
        examples=(Example("burns", answer=examples.BURNS),),
    )
    def get(self, request: Request, grant_id: UUID) -> HttpResponse:
        grant = _grant(grant_id)
        context = self.own_context(request, Owned.GRANT, grant.pk, grant.account_id, grant.product_id)
        account_apply_due(context, account_id=grant.account_id)
        asked = page_request(request, f"burns:{grant.pk}")
        page = page_of(GrantBurn.objects.filter(grant_id=grant.pk).select_related("entry"), asked, ("id",))
        lines = entries_values(context, [burn.entry for burn in page.items])
        rows = [
            {"amount": format_micro(burn.amount), "entry": line} for burn, line in zip(page.items, lines, strict=True)
        ]
        return json_answer(page_parts(page, rows), 200)


class VoidView(RecordView):
    """End a grant: what is left of it goes."""

    operations: ClassVar[dict[str, str]] = {"POST": "grants.void"}

    @documented(
        operation="grants.void",
        request=VoidBody,
        responses={200: VoidAnswer},
        statuses=(404, 409),
        examples=(Example("void", request=examples.VOID, answer=examples.VOID_ANSWER),),
    )
    def post(self, request: Request, grant_id: UUID) -> Response:
        body, grant = self.read(VoidBody, request), _grant(grant_id)
        context = self.own_context(request, Owned.GRANT, grant.pk, grant.account_id, grant.product_id)
        answer = grant_void(context, grant_id=grant_id, key=body["idempotency_key"], reason=body["reason"])
        return answered(answer, VoidAnswer)


class DecisionView(RecordView):
    """The receipt of a decision that the product asked for: why, and whether the answer would change today."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}

    @documented(
        operation="credits.read",
        operation_id="credits_decision",
        responses={200: DecisionAnswer},
        statuses=(404,),
        examples=(Example("decision", answer=examples.DECISION),),
    )
    def get(self, request: Request, decision_id: UUID) -> Response:
        receipt = decision_receipt_of(DecisionReceiptId(decision_id))
        self.own_context(request, Owned.DECISION, receipt.pk, receipt.organization_id, _asker_of(receipt))
        return Response(DecisionAnswer(_decision_values(receipt)).data)


def _grant(grant_id: UUID) -> CreditGrant:
    grant = CreditGrant.objects.filter(pk=grant_id).first()
    if grant is None:
        raise unknown_grant(grant_id)
    return grant


def _asker_of(receipt: DecisionReceipt) -> UUID | None:
    """The product whose question it was; None for a person's."""
    text = receipt.question.get("product_id")
    return UUID(text) if text else None


def _decision_values(receipt: DecisionReceipt) -> dict[str, Any]:
    return {
        **{name: getattr(receipt, name) for name in ("id", "kind", "decision", "code", "organization_id")},
        **{name: getattr(receipt, name) for name in ("workspace_id", "question", "records", "policy_version")},
        **{name: getattr(receipt, name) for name in ("request_id", "created_at")},
        "explanation": receipt.chain,
        "today": _today(receipt),
    }


def _today(receipt: DecisionReceipt) -> dict[str, Any] | None:
    try:
        replay = replay_now(receipt, names_staff=False)
    except CountinghouseError:
        # What it was asked about is no more, or can't be asked again.
        return None
    return {"decision": replay.now.verdict.value, "code": replay.now.code, "changes": list(replay.changes)}
