"""The same consumption as one would write it with DRF and the ORM alone: correct, one query after the other."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import transaction
from django.urls import path
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core.canonical import canonical_hash
from apps.core.clock import now
from apps.core.models import IdempotencyRecord
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, CreditPolicy, FreeQuantity, GrantBurn
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.tenants.models import Membership, ProductRelation, ServiceToken, User, Workspace
from apps.tenants.tokens import hash_token


class TokenAuthentication(BaseAuthentication):
    """A query for each request, as DRF's own does."""

    def authenticate(self, request: Request) -> tuple[User, ServiceToken]:
        text = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = ServiceToken.objects.select_related("product").filter(token_hash=hash_token(text)).first()
        if token is None:
            raise AuthenticationFailed
        return User(), token


class AccountSerializer(serializers.Serializer[Any]):  # noqa: TID251 - the naive form
    """The account."""

    type = serializers.CharField()
    id = serializers.UUIDField()


class ConsumeSerializer(serializers.Serializer[Any]):  # noqa: TID251 - the naive form
    """The body."""

    idempotency_key = serializers.CharField(max_length=255)
    account = AccountSerializer()
    operation = serializers.CharField(max_length=80)
    quantity = serializers.DecimalField(max_digits=16, decimal_places=6)
    outcome = serializers.CharField(max_length=40)
    user_id = serializers.UUIDField()
    workspace_id = serializers.UUIDField()
    run_id = serializers.CharField(max_length=255)


class EntrySerializer(serializers.ModelSerializer[CreditEntry]):  # noqa: TID251 - the naive form
    """The answer."""

    class Meta:
        model = CreditEntry
        fields: ClassVar = ["id", "amount", "balance_after", "category", "is_billable", "policy_version", "is_late"]


class NaiveConsumeView(APIView):
    """Read, check, write."""

    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)
    throttle_classes = ()

    def post(self, request: Request) -> Response:
        token: Any = request.auth
        serializer = ConsumeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values, product = serializer.validated_data, token.product
        with transaction.atomic():
            _check(values, product)
            entry = _book(values, product)
            body = dict(EntrySerializer(entry).data)
            IdempotencyRecord.objects.create(
                scope=f"naive:{product.pk}",
                key=values["idempotency_key"],
                operation="naive",
                body_hash=canonical_hash(values),
                outcome="answered",
                status=201,
                answer=body,
                created_at=now(),
            )
        return Response(body, status=201)


def _check(values: dict[str, Any], product: Any) -> None:
    organization = values["account"]["id"]
    if IdempotencyRecord.objects.filter(scope=f"naive:{product.pk}", key=values["idempotency_key"]).exists():
        raise PermissionDenied
    if not ProductRelation.objects.filter(product=product, organization=organization).exists():
        raise PermissionDenied
    if not Membership.objects.filter(organization=organization, user=values["user_id"]).exists():
        raise PermissionDenied
    workspace = Workspace.objects.select_related("organization").get(pk=values["workspace_id"])
    config = OrganizationPaymentConfig.objects.get(organization=workspace.organization)
    if workspace.organization.closed_at or workspace.manual_lifecycle_state or config.usage_category_override:
        raise PermissionDenied


def _book(values: dict[str, Any], product: Any) -> CreditEntry:
    policy = CreditPolicy.objects.filter(product=product, status="published", effective_from__lte=now()).latest(
        "version"
    )
    price = policy.prices.get(operation=values["operation"])
    account = CreditAccount.objects.select_for_update().get(pk=values["account"]["id"])
    used = FreeQuantity.objects.get(account=account, product=product, operation=price.operation)
    if used.used < price.free_quantity:
        raise PermissionDenied
    charge = int(values["quantity"] * price.unit_price)
    account.balance -= charge
    account.last_sequence += 1
    account.save(update_fields=["balance", "last_sequence"])
    entry = CreditEntry.objects.create(
        id=uuid.uuid4(),
        account=account,
        sequence=account.last_sequence,
        kind="consumption",
        amount=-charge,
        balance_after=account.balance,
        product_id=product.pk,
        operation=price.operation,
        quantity=int(values["quantity"] * 1_000_000),
        outcome=values["outcome"],
        category="regular",
        is_billable=True,
        acting_user_id=values["user_id"],
        workspace_id=values["workspace_id"],
        run_id=values["run_id"],
        policy_version=policy.version,
        idempotency_key=values["idempotency_key"],
        actor_label=product.slug,
        request_id=uuid.uuid4().hex,
        occurred_at=now(),
        recorded_at=now(),
    )
    _burn(entry)
    return entry


def _burn(entry: CreditEntry) -> None:
    grant = CreditGrant.objects.filter(account=entry.account, remaining__gt=0).order_by("priority", "expires_at")[0]
    grant.remaining += entry.amount
    grant.save(update_fields=["remaining"])
    GrantBurn.objects.create(entry=entry, grant=grant, amount=-entry.amount)


urlpatterns = [path("naive", NaiveConsumeView.as_view())]
