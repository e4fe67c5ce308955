"""What an account holds, its entries, grants and open holds, page by page (spec 09, Credits).

Whatever has come due is done before an account is shown.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import UserId
from apps.core.moments import MOMENT_PATTERN, zone_of
from apps.core.wire.fields import StrictField, StrictUUIDField
from apps.core.wire.pagination import PAGE_PARAMETERS, Page, page_of, page_parts, page_request
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.schema import PAGE_QUERY, Example, documented
from apps.core.wire.serializers import impossible
from apps.core.wire.values import StrictTimeField
from apps.credits.api import read_examples as examples
from apps.credits.api.hot import json_answer
from apps.credits.api.read_bodies import BalanceAnswer, EntriesPage, GrantsPage, HoldsPage
from apps.credits.api.rendering import entries_values, grant_values, hold_values
from apps.credits.api.views import AccountView, named_account
from apps.credits.enums import HoldStatus
from apps.credits.models import CreditAccount, CreditGrant, Hold
from apps.credits.rules.months import free_month_end
from apps.credits.selectors import ledger
from apps.credits.selectors.as_of import Standing, standing_at
from apps.credits.selectors.records import product_slugs, upcoming_grants
from apps.credits.services import account_apply_due
from apps.tenants.models import Organization

ACTING_USER = OpenApiParameter(
    "acting_user_id",
    {"type": "string", "format": "uuid"},
    description="Whose right to see the balance is asked; 403 `not_a_member`, with its explanation, if there is none.",
)
AT = OpenApiParameter(
    "at",
    {"type": "string", "format": "date-time", "pattern": f"^{MOMENT_PATTERN}$"},
    description="What the account held at this moment of the past.",
)


class BalanceView(AccountView):
    """What an account holds, and what of it begins and ends next; with `acting_user_id`, whether they may see it."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": frozenset({"acting_user_id", "at"})}

    @documented(
        operation="credits.read",
        operation_id="credits_balance",
        responses={200: BalanceAnswer},
        statuses=(404, 422),
        query=(ACTING_USER, AT),
        examples=(Example("balance", answer=examples.BALANCE),),
    )
    def get(self, request: Request, account_type: str, account_id: UUID) -> Response:
        acting, now = _query_value(request, "acting_user_id", StrictUUIDField()), clock.now()
        at = _past(_query_value(request, "at", StrictTimeField()), now)
        context, organization_id = self.account_context(
            request,
            named_account(account_type, account_id),
            "URL",
            acting_user_id=UserId(acting) if acting else None,
        )
        if organization_id is not None and at is None:
            account_apply_due(context, account_id=organization_id)
        values = _balance_values(ledger.account_of(organization_id), at, now)
        values |= {"account": {"type": account_type, "id": str(account_id)}, "organization_id": organization_id}
        organization = Organization.objects.filter(pk=organization_id).first() if organization_id else None
        zone = zone_of(organization.time_zone) if organization else UTC
        values["free_month_ends_at"] = free_month_end(at or now, zone)
        return Response(BalanceAnswer(values).data)


class PagesView(AccountView):
    """A list of an account, page by page; empty for a person without an account."""

    list_name: ClassVar[str]

    def page(self, request: Request, account_type: str, account_id: UUID) -> HttpResponse:
        context, organization_id = self.account_context(request, named_account(account_type, account_id), "URL")
        asked = page_request(request, f"{self.list_name}:{organization_id}")
        if organization_id is None:
            return json_answer({"items": [], "next_cursor": None}, 200)
        account_apply_due(context, account_id=organization_id)
        found, key, newest_first = self.rows(organization_id)
        page = page_of(found, asked, key, newest_first=newest_first)
        return json_answer(page_parts(page, self.items(context, page)), 200)

    def rows(self, account_id: UUID) -> tuple[QuerySet[Any], tuple[str, ...], bool]:
        """The rows, the columns that order them, and whether the newest comes first."""
        raise NotImplementedError

    def items(self, context: ExecutionContext, page: Page[Any]) -> list[dict[str, Any]]:
        """The rows of the page as the caller may see them."""
        raise NotImplementedError


class EntriesView(PagesView):
    """The lines of an account, the newest first."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": PAGE_PARAMETERS}
    list_name = "entries"

    @documented(
        operation="credits.read",
        operation_id="credits_entries",
        responses={200: EntriesPage},
        statuses=(404, 422),
        query=PAGE_QUERY,
        examples=(Example("entries", answer=examples.ENTRIES),),
    )
    def get(self, request: Request, account_type: str, account_id: UUID) -> HttpResponse:
        return self.page(request, account_type, account_id)

    def rows(self, account_id: UUID) -> tuple[QuerySet[Any], tuple[str, ...], bool]:
        return ledger.entries_of(account_id), ("sequence",), True

    def items(self, context: ExecutionContext, page: Page[Any]) -> list[dict[str, Any]]:
        return entries_values(context, page.items)


class GrantsView(PagesView):
    """The grants of an account with what is left of each, also those that begin later, the newest first."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": PAGE_PARAMETERS}
    list_name = "grants"

    @documented(
        operation="credits.read",
        operation_id="credits_grants",
        responses={200: GrantsPage},
        statuses=(404, 422),
        query=PAGE_QUERY,
        examples=(Example("grants", answer=examples.GRANTS),),
    )
    def get(self, request: Request, account_type: str, account_id: UUID) -> HttpResponse:
        return self.page(request, account_type, account_id)

    def rows(self, account_id: UUID) -> tuple[QuerySet[Any], tuple[str, ...], bool]:
        return CreditGrant.objects.filter(account_id=account_id), ("created_at", "id"), True

    def items(self, context: ExecutionContext, page: Page[Any]) -> list[dict[str, Any]]:
        slugs, now = product_slugs(grant.product_id for grant in page.items), clock.now()
        return [grant_values(context, grant, slugs, now) for grant in page.items]


class HoldsView(PagesView):
    """The open holds of an account, the next to end first."""

    operations: ClassVar[dict[str, str]] = {"GET": "credits.read"}
    query_parameters: ClassVar[dict[str, frozenset[str]]] = {"GET": PAGE_PARAMETERS}
    list_name = "holds"

    @documented(
        operation="credits.read",
        operation_id="credits_holds",
        responses={200: HoldsPage},
        statuses=(404, 422),
        query=PAGE_QUERY,
        examples=(Example("holds", answer=examples.HOLDS),),
    )
    def get(self, request: Request, account_type: str, account_id: UUID) -> HttpResponse:
        return self.page(request, account_type, account_id)

    def rows(self, account_id: UUID) -> tuple[QuerySet[Any], tuple[str, ...], bool]:
        open_holds = Hold.objects.filter(account_id=account_id, status=HoldStatus.OPEN).select_related("product")
        return open_holds, ("expires_at", "id"), False

    def items(self, context: ExecutionContext, page: Page[Any]) -> list[dict[str, Any]]:
        return [hold_values(context, hold) for hold in page.items]


def _balance_values(account: CreditAccount | None, at: datetime | None, now: datetime) -> dict[str, Any]:
    if account is None:
        found = Standing()
    elif at is None:
        found = Standing(account.balance, account.held, account.overdraft_limit)
    else:
        found = standing_at(account, at)
    is_now = account is not None and at is None
    return {
        "at": at or now,
        "balance": found.balance,
        "held": found.held,
        "available": found.available,
        "overdraft_limit": found.overdraft_limit,
        "next_expiries": [
            {
                "grant_id": grant.pk,
                "amount": grant.remaining,
                "remaining": grant.remaining,
                "expires_at": grant.expires_at,
            }
            for grant in (ledger.next_expiries(account.pk, now) if account and is_now else [])
        ],
        "upcoming_grants": [
            {
                "grant_id": grant.pk,
                "grant_type": grant.grant_type,
                "amount": grant.amount,
                "effective_at": grant.effective_at,
                "expires_at": grant.expires_at,
            }
            for grant in (upcoming_grants(account.pk, now) if account and is_now else [])
        ],
    }


def _query_value(request: Request, name: str, field: StrictField) -> Any:
    """The value of a parameter of the query, strictly read; None where it is not sent."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return field.run_validation(text)
    except FieldRefusedError as refusal:
        raise refusal.below(name).as_error() from refusal


def _past(at: datetime | None, now: datetime) -> datetime | None:
    if at is not None and at > now:
        raise impossible("at", "in_the_future", "must be a moment of the past; leave it out for now.").as_error()
    return at
