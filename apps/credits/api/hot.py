"""Reading the bodies of the hot endpoints with msgspec, and answering without a serializer (spec 11, Speed).

The JSON itself is parsed by the strict parser of `core.wire`, so that duplicate keys, odd numbers and odd text are
refused alike everywhere; msgspec checks names, types and forms. Whatever it does not take is read again by the strict
serializer, which has the last word and writes the error. So the two may differ in speed alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse

from apps.core.amounts import MalformedNumberError, NumberOutOfRangeError, format_micro, parse_amount, parse_quantity
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.values import StrictTimeField
from apps.credits.contracts import AccountRef, Consumption, Question, uuid_of
from apps.credits.enums import AccountType, OnInsufficient
from apps.credits.services.authorization import LocalDecision

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z"
UuidText = Annotated[str, msgspec.Meta(pattern=_UUID)]
_TIME = StrictTimeField()
_AMOUNTS = frozenset({"charged", "balance", "held", "available", "price", "amount", "reversed", "released"})


def _no_fraction(text: str) -> float:
    raise ValueError(text)


_DECODER = msgspec.json.Decoder(float_hook=_no_fraction)


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class AccountIn(_Strict):
    type: Literal["organization", "user"]
    id: UuidText


class HoldIn(_Strict):
    ttl_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)]


class LocalIn(_Strict):
    decision: Literal["allow", "deny"]
    balance: str
    charge: str


class AuthorizeIn(_Strict):
    account: AccountIn
    operation: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    quantity: str
    user_id: UuidText | None = None
    workspace_id: UuidText | None = None
    hold: HoldIn | None = None
    idempotency_key: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    local_decision: LocalIn | None = None


class ConsumeIn(_Strict):
    idempotency_key: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    account: AccountIn
    operation: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    quantity: str
    outcome: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    occurred_at: str | None = None
    user_id: UuidText | None = None
    workspace_id: UuidText | None = None
    run_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    hold_id: UuidText | None = None
    on_insufficient: Literal["reject", "record"] = "reject"


def quick_object(body: bytes) -> dict[str, Any] | None:
    """The object that the bytes spell, where msgspec is sure to read what the strict parser reads; else None.

    Without an escape each key and each string has exactly two quotes. So what was read, written again, has as many of
    them as the body, unless a key stood twice and was swallowed. Anything escaped, and numbers with a fraction, are
    left to the strict parser.
    """
    if b"\\" in body:
        return None
    try:
        value = _DECODER.decode(body)
        sound = isinstance(value, dict) and msgspec.json.encode(value).count(b'"') == body.count(b'"')
    except (ValueError, RecursionError, OverflowError):
        return None
    return value if sound else None


def quick_consumption(data: Any) -> Consumption | None:
    """The consumption; None where the strict serializer must look."""
    try:
        item = msgspec.convert(data, ConsumeIn)
        if not _is_plain(item.idempotency_key, item.operation, item.outcome, item.run_id or "x"):
            return None
        return Consumption(
            key=item.idempotency_key,
            question=_question(item),
            outcome=item.outcome,
            occurred_at=_TIME.to_internal_value(item.occurred_at) if item.occurred_at is not None else None,
            run_id=item.run_id or "",
            hold_id=_uuid(item.hold_id),
            on_insufficient=OnInsufficient(item.on_insufficient),
        )
    except (msgspec.ValidationError, MalformedNumberError, NumberOutOfRangeError, FieldRefusedError):
        return None


def consumption_of(values: dict[str, Any]) -> Consumption:
    """The consumption that the strict serializer read."""
    return Consumption(
        key=values["idempotency_key"],
        question=question_of(values),
        outcome=values["outcome"],
        occurred_at=values.get("occurred_at"),
        run_id=values.get("run_id") or "",
        hold_id=values.get("hold_id"),
        on_insufficient=values.get("on_insufficient", OnInsufficient.REJECT),
    )


Authorization = tuple[Question, timedelta | None, str | None, LocalDecision | None]


def quick_authorization(data: Any) -> Authorization | None:
    """What is asked; None where the strict serializer must look."""
    try:
        item = msgspec.convert(data, AuthorizeIn)
        if not _is_plain(item.operation, item.idempotency_key or "x"):
            return None
        local = item.local_decision
        return (
            _question(item),
            timedelta(seconds=item.hold.ttl_seconds) if item.hold else None,
            item.idempotency_key,
            LocalDecision(local.decision, parse_amount(local.balance, allow_negative=True), parse_amount(local.charge))
            if local
            else None,
        )
    except (msgspec.ValidationError, MalformedNumberError, NumberOutOfRangeError):
        return None


def authorization_of(values: dict[str, Any]) -> Authorization:
    """What the strict serializer read."""
    hold, local = values.get("hold"), values.get("local_decision")
    return (
        question_of(values),
        timedelta(seconds=hold["ttl_seconds"]) if hold else None,
        values.get("idempotency_key"),
        LocalDecision(local["decision"].value, local["balance"], local["charge"]) if local else None,
    )


def question_of(values: dict[str, Any]) -> Question:
    """The question in a body that the strict serializer read."""
    return Question(
        account=account_of(values),
        operation=values["operation"],
        quantity=values["quantity"],
        user_id=values.get("user_id"),
        workspace_id=values.get("workspace_id"),
    )


def account_of(values: dict[str, Any]) -> AccountRef:
    """The account in a body that the strict serializer read."""
    return AccountRef(AccountType(values["account"]["type"]), values["account"]["id"])


def on_wire(body: dict[str, Any]) -> dict[str, Any]:
    """A stored answer as it goes over the wire: integer micro-credits become decimal strings."""
    return {
        name: format_micro(value)
        if name in _AMOUNTS and isinstance(value, int)
        else on_wire(value)
        if isinstance(value, dict)
        else value
        for name, value in body.items()
    }


def json_answer(body: dict[str, Any], status: int) -> HttpResponse:
    """The answer, past DRF's renderer."""
    return HttpResponse(msgspec.json.encode(body), status=status, content_type="application/json")


def _question(item: ConsumeIn | AuthorizeIn) -> Question:
    return Question(
        account=AccountRef(AccountType(item.account.type), uuid_of(item.account.id)),
        operation=item.operation,
        quantity=parse_quantity(item.quantity),
        user_id=_uuid(item.user_id),
        workspace_id=_uuid(item.workspace_id),
    )


def _is_plain(*texts: str) -> bool:
    return "".join(texts).isprintable() and all(map(str.strip, texts))


def _uuid(text: str | None) -> UUID | None:
    return uuid_of(text) if text else None
