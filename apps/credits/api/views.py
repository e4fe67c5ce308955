"""Policies, grants, holds and reversals (spec 09, Credits); what is read stands in `read_views` and `record_views`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.errors import NotFoundError
from apps.core.idempotency import Answer
from apps.core.ids import UserId
from apps.core.wire.schema import Example, documented
from apps.core.wire.serializers import AnswerSerializer
from apps.credits.api import examples
from apps.credits.api.bodies import (
    CaptureAnswer,
    CaptureBody,
    ExtendAnswer,
    ExtendBody,
    GrantAnswer,
    GrantBody,
    PolicyAnswer,
    ReleaseAnswer,
    ReleaseBody,
    ReverseAnswer,
    ReverseBody,
)
from apps.credits.api.hot import account_of, on_wire
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, Owned
from apps.credits.models import CreditEntry
from apps.credits.ownership import require_own
from apps.credits.refusals import not_the_person, unknown_entry, unknown_hold
from apps.credits.selectors.policies import terms_in_force
from apps.credits.services import credit_grant, entry_reverse, hold_capture, hold_extend, hold_release
from apps.credits.services.grants import GrantParams, individual_organization_of, require_person
from apps.credits.services.holds import CaptureParams, hold_of
from apps.tenants.api.base import ProductView
from apps.tenants.contracts import NamedTenant
from apps.tenants.selectors.products import product_by_slug

# What answers that an earlier release stored did not say.
_EARLIER: dict[str, Any] = {
    "decided_by": "central",
    "warnings": [],
    "lapsed": "0",
    "free_quantity_returned": "0",
    "remaining": "0",
}


class AccountView(ProductView):
    """A view of one account, however it is named."""

    def account_context(
        self, request: Request, account: AccountRef, source: str, *, acting_user_id: UserId | None = None
    ) -> tuple[ExecutionContext, UUID | None]:
        """The context for the account's organization; a person without an account has none yet.

        `acting_user_id` must be a member, of an account that is not there yet the person themselves.
        """
        organization_id: UUID | None = account.id
        if account.type is AccountType.USER:
            require_person(self.context_for(request), account.id)
            organization_id = individual_organization_of(account.id)
        named = [] if organization_id is None else [NamedTenant(source, organization_id)]  # type: ignore[arg-type]
        if organization_id is None and acting_user_id not in {None, account.id}:
            raise not_the_person(acting_user_id, account.id)
        return self.context_for(request, *named, acting_user_id=acting_user_id), organization_id


class PolicyView(ProductView):
    """The credit policy of a product in force, with an ETag."""

    operations: ClassVar[dict[str, str]] = {"GET": "credit_policies.read"}

    @documented(
        operation="credit_policies.read",
        responses={200: PolicyAnswer, 304: None},
        statuses=(404,),
        examples=(Example("policy", answer=examples.POLICY),),
    )
    def get(self, request: Request, product: str) -> Response:
        self.context_for(request)
        found = product_by_slug(product)
        terms = terms_in_force(found.pk, clock.now()) if found else None
        if terms is None:
            raise NotFoundError(f"The product {product} has no published credit policy in force.")
        etag = f'"{terms.id}"'
        if request.headers.get("If-None-Match") == etag:
            return Response(status=304, headers={"ETag": etag})
        answer = PolicyAnswer(
            {
                "product": product,
                "version": terms.version,
                "effective_from": terms.effective_from,
                "rounding": "half_up",
                "operations": [terms.prices[name] for name in sorted(terms.prices)],
            }
        )
        return Response(answer.data, headers={"ETag": etag})


class GrantView(AccountView):
    """Give credits, once for the key."""

    operations: ClassVar[dict[str, str]] = {"POST": "credits.grant"}

    @documented(
        operation="credits.grant",
        request=GrantBody,
        responses={201: GrantAnswer, 200: GrantAnswer},
        statuses=(404, 409),
        examples=(Example("grant", request=examples.GRANT, answer=examples.GRANT_ANSWER),),
    )
    def post(self, request: Request) -> Response:
        body = self.read(GrantBody, request)
        account = account_of(body)
        context, _ = self.account_context(request, account, "body: account")
        params = GrantParams(
            grant_type=body["grant_type"],
            amount=body["amount"],
            effective_at=body.get("effective_at"),
            expires_at=body.get("expires_at"),
            note=body.get("note", ""),
            **({"priority": body["priority"]} if "priority" in body else {}),
        )
        return answered(credit_grant(context, key=body["idempotency_key"], account=account, params=params), GrantAnswer)


class CaptureView(ProductView):
    """Charge what was used of a hold, and free the rest."""

    operations: ClassVar[dict[str, str]] = {"POST": "holds.capture"}

    @documented(
        operation="holds.capture",
        request=CaptureBody,
        responses={201: CaptureAnswer, 200: CaptureAnswer},
        statuses=(402, 404, 409),
        examples=(Example("capture", request=examples.CAPTURE, answer=examples.CAPTURE_ANSWER),),
    )
    def post(self, request: Request, hold_id: UUID) -> Response:
        body = self.read(CaptureBody, request)
        context = self.context_for(request, _of_hold(hold_id))
        params = CaptureParams(
            outcome=body["outcome"],
            quantity=body.get("quantity"),
            amount=body.get("amount"),
            allow_more=body.get("allow_more", False),
            local_charge=body.get("local_charge"),
        )
        answer = hold_capture(context, hold_id=hold_id, key=body["idempotency_key"], params=params)
        return answered(answer, CaptureAnswer)


class ReleaseView(ProductView):
    """Free what a hold reserves."""

    operations: ClassVar[dict[str, str]] = {"POST": "holds.release"}

    @documented(
        operation="holds.release",
        request=ReleaseBody,
        responses={200: ReleaseAnswer},
        statuses=(404, 409),
        examples=(Example("release", request=examples.RELEASE, answer=examples.RELEASE_ANSWER),),
    )
    def post(self, request: Request, hold_id: UUID) -> Response:
        body = self.read(ReleaseBody, request)
        context = self.context_for(request, _of_hold(hold_id))
        return answered(hold_release(context, hold_id=hold_id, key=body["idempotency_key"]), ReleaseAnswer)


class ExtendView(ProductView):
    """Let a hold end later, at most 24 hours after its opening."""

    operations: ClassVar[dict[str, str]] = {"POST": "holds.extend"}

    @documented(
        operation="holds.extend",
        request=ExtendBody,
        responses={200: ExtendAnswer},
        statuses=(404, 409),
        examples=(Example("extend", request=examples.EXTEND, answer=examples.EXTEND_ANSWER),),
    )
    def post(self, request: Request, hold_id: UUID) -> Response:
        body = self.read(ExtendBody, request)
        context, ttl = self.context_for(request, _of_hold(hold_id)), timedelta(seconds=body["ttl_seconds"])
        return answered(hold_extend(context, hold_id=hold_id, key=body["idempotency_key"], ttl=ttl), ExtendAnswer)


class ReverseView(ProductView):
    """Give a charge back, in one or more parts."""

    operations: ClassVar[dict[str, str]] = {"POST": "credits.reverse"}

    @documented(
        operation="credits.reverse",
        request=ReverseBody,
        responses={201: ReverseAnswer, 200: ReverseAnswer},
        statuses=(404, 409),
        examples=(Example("reverse", request=examples.REVERSE, answer=examples.REVERSE_ANSWER),),
    )
    def post(self, request: Request, entry_id: UUID) -> Response:
        body = self.read(ReverseBody, request)
        entry = CreditEntry.objects.filter(pk=entry_id).only("account_id", "product_id").first()
        if entry is None:
            raise unknown_entry(entry_id)
        context = self.context_for(request, NamedTenant("the entry of the URL", entry.account_id))
        require_own(context, Owned.ENTRY, entry.pk, entry.product_id)
        answer = entry_reverse(
            context,
            entry_id=entry_id,
            key=body["idempotency_key"],
            reason=body["reason"],
            amount=body.get("amount"),
        )
        return answered(answer, ReverseAnswer)


def answered(answer: Answer, shape: type[AnswerSerializer]) -> Response:
    """The answer; `shape` names the fields that go out."""
    body: dict[str, Any] = {**_EARLIER, **on_wire(dict(answer.body)), "replayed": answer.replayed}
    known = {name: value for name, value in body.items() if name in shape._declared_fields}  # noqa: SLF001 - no copy
    return Response(known, status=200 if answer.replayed else answer.status)


def named_account(account_type: str, account_id: UUID) -> AccountRef:
    """The account that a URL names."""
    return AccountRef(AccountType(account_type), account_id)


def _of_hold(hold_id: UUID) -> NamedTenant:
    hold = hold_of(hold_id)
    if hold is None:
        raise unknown_hold(hold_id)
    return NamedTenant("the hold of the URL", hold.account_id)
