"""Parsing the bodies of the hot endpoints with msgspec, and answering without a serializer (spec 11, Speed)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from django.http import HttpResponse

from apps.core.amounts import format_micro
from apps.core.wire.parser import parse_object
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.serializers import StrictSerializer
from apps.credits.contracts import AccountRef, Consumption, Question
from apps.credits.enums import AccountType, OnInsufficient
from apps.credits.services.authorization import LocalDecision

_AMOUNTS = frozenset(
    {"charged", "balance", "held", "available", "price", "amount", "reversed", "released", "voided", "held_back"}
)


def _no_fraction(text: str) -> float:
    raise ValueError(text)


_DECODER = msgspec.json.Decoder(float_hook=_no_fraction)


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


def read_body(body: type[StrictSerializer], raw: bytes) -> dict[str, Any]:
    """The values of a body, parsed the fast way where that is possible."""
    plain = quick_object(raw)
    if plain is not None:
        try:
            return body.read(plain)
        except FieldRefusedError:
            # A wrong body is parsed again: the strict parser refuses some before any field is looked at.
            pass
    try:
        return body.read(parse_object(raw))
    except FieldRefusedError as refusal:
        raise refusal.as_error() from refusal


def consumption_of(values: dict[str, Any]) -> Consumption:
    """The consumption in the values of a `ConsumeBody`."""
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


def authorization_of(values: dict[str, Any]) -> Authorization:
    """What is asked in the values of an `AuthorizeBody`."""
    hold, local = values.get("hold"), values.get("local_decision")
    return (
        question_of(values),
        timedelta(seconds=hold["ttl_seconds"]) if hold else None,
        values.get("idempotency_key"),
        LocalDecision(local["decision"].value, local["balance"], local["charge"]) if local else None,
    )


def question_of(values: dict[str, Any]) -> Question:
    return Question(
        account=account_of(values),
        operation=values["operation"],
        quantity=values["quantity"],
        user_id=values.get("user_id"),
        workspace_id=values.get("workspace_id"),
    )


def account_of(values: dict[str, Any]) -> AccountRef:
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
