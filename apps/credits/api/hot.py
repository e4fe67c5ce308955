"""POST credits:authorize, credits:consume, credits:consume-batch: the endpoints that products ask all day.

Their bodies are parsed with msgspec where that is sure to read what the strict parser reads, and they answer without a
serializer (spec 11, Speed).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.request import Request

from apps.core.amounts import format_micro
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.observability.requests import current_request_id
from apps.core.operations import require
from apps.core.wire.parser import parse_object
from apps.core.wire.problems import handle, problem_of
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.schema import Example, documented
from apps.core.wire.serializers import StrictSerializer
from apps.core.wire.throttles import CallerThrottle
from apps.core.wire.values import StrictObjectField
from apps.credits.api import examples
from apps.credits.api.bodies import (
    AuthorizeAnswer,
    AuthorizeBody,
    BatchAnswer,
    BatchBody,
    ConsumeAnswer,
    ConsumeBody,
)
from apps.credits.contracts import AccountRef, Consumption, Question
from apps.credits.enums import AccountType, OnInsufficient
from apps.credits.services import credits_authorize, credits_consume, credits_consume_batch
from apps.credits.services.authorization import LocalDecision
from apps.credits.services.consumption import Result
from apps.tenants.access import api_context
from apps.tenants.api.base import ProductView
from apps.tenants.authentication import ServiceTokenAuthentication
from apps.tenants.contracts import ProductCaller

_BATCH_LIMIT = 2 * 1024 * 1024
_OBJECT = StrictObjectField()
_TOKENS = ServiceTokenAuthentication()
_AMOUNTS = frozenset(
    {"charged", "balance", "held", "available", "price", "amount", "reversed", "released", "lapsed"}
    | {"voided", "held_back", "shadow_charge", "free_quantity_returned", "remaining"}
)


class HotView(ProductView):
    """A view of DRF with a short way for the common request: the same token check, gate, throttle and strict parser,
    one after the other, without DRF's own request around them. Whatever is unusual goes DRF's way, which answers it.
    """

    body: ClassVar[type[StrictSerializer]]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        meta = request.META
        is_common = request.method == "POST" and meta.get("CONTENT_TYPE") == "application/json"
        length = meta.get("CONTENT_LENGTH") or ""
        is_sized = length.isdecimal() and 0 < int(length) <= self.body_limit
        if is_common and is_sized and not meta.get("QUERY_STRING") and "HTTP_AUTHORIZATION" in meta:
            try:
                answer = self._quick_answer(request)
            except Exception as error:  # noqa: BLE001 - as DRF does: one handler answers, and logs, every error
                return handle(error, {})
            if answer is not None:
                return answer
        return super().dispatch(request, *args, **kwargs)

    def answer(self, context: ExecutionContext, values: dict[str, Any]) -> HttpResponse:
        """The answer to the values of a `body`."""
        raise NotImplementedError

    def _quick_answer(self, request: HttpRequest) -> HttpResponse | None:
        known = _TOKENS.authenticate(request)  # type: ignore[arg-type]  # it reads META alone
        caller = known[1] if known else None
        if not isinstance(caller, ProductCaller):
            return None
        context = api_context(caller, request_id=current_request_id())
        require(context, self.operations["POST"])
        if not CallerThrottle().allow_request(request, self):  # type: ignore[arg-type]  # it reads the headers alone
            return None
        return self.answer(context, read_body(self.body, request.body))


class AuthorizeView(HotView):
    """Whether an account may consume, at what price; with `hold` the credits are held."""

    operations: ClassVar[dict[str, str]] = {"POST": "credits.authorize"}
    body = AuthorizeBody

    @documented(
        operation="credits.authorize",
        request=AuthorizeBody,
        responses={200: AuthorizeAnswer},
        statuses=(404, 409),
        examples=(Example("authorize", request=examples.AUTHORIZE, answer=examples.AUTHORIZE_ANSWER),),
    )
    def post(self, request: Request) -> HttpResponse:
        return self.answer(self.context_for(request), self.read(AuthorizeBody, request))

    def answer(self, context: ExecutionContext, values: dict[str, Any]) -> HttpResponse:
        question, hold_ttl, key, local = authorization_of(values)
        answer = credits_authorize(context, question=question, hold_ttl=hold_ttl, key=key, local=local)
        return json_answer(on_wire(answer), 200)


class ConsumeView(HotView):
    """Charge one run, once for its key."""

    operations: ClassVar[dict[str, str]] = {"POST": "credits.consume"}
    body = ConsumeBody

    @documented(
        operation="credits.consume",
        request=ConsumeBody,
        responses={201: ConsumeAnswer, 200: ConsumeAnswer},
        statuses=(402, 404, 409),
        examples=(Example("consume", request=examples.CONSUME, answer=examples.CONSUME_ANSWER),),
    )
    def post(self, request: Request) -> HttpResponse:
        return self.answer(self.context_for(request), self.read(ConsumeBody, request))

    def answer(self, context: ExecutionContext, values: dict[str, Any]) -> HttpResponse:
        answer = credits_consume(context, consumption=consumption_of(values))
        return json_answer(consumed(answer), status_of(answer))


class ConsumeBatchView(HotView):
    """Charge up to 1,000 runs; each succeeds or fails alone, the results are in order."""

    operations: ClassVar[dict[str, str]] = {"POST": "credits.consume"}
    body = BatchBody
    body_limit = _BATCH_LIMIT

    @documented(
        operation="credits.consume",
        operation_id="credits_consume_batch",
        request=BatchBody,
        responses={200: BatchAnswer},
        examples=(Example("batch", request={"items": [examples.CONSUME]}, answer=examples.BATCH_ANSWER),),
    )
    def post(self, request: Request) -> HttpResponse:
        return self.answer(self.context_for(request), self.read(BatchBody, request))

    def answer(self, context: ExecutionContext, values: dict[str, Any]) -> HttpResponse:
        items = [_read_item(item) for item in values["items"]]
        sound = [item for item in items if isinstance(item, Consumption)]
        results = iter(credits_consume_batch(context, consumptions=sound) if sound else [])
        answers = [_result(next(results) if isinstance(item, Consumption) else item) for item in items]
        return json_answer({"results": answers}, 200)


def consumed(answer: Answer) -> dict[str, Any]:
    """A consumption's answer on the wire."""
    return {"decided_by": "central", "warnings": [], **on_wire(dict(answer.body)), "replayed": answer.replayed}


def status_of(answer: Answer) -> int:
    """The first answer's status; a repetition answers 200."""
    return 200 if answer.replayed else answer.status


def _read_item(item: Any) -> Consumption | CountinghouseError:
    try:
        return consumption_of(ConsumeBody.read(_OBJECT.run_validation(item)))
    except FieldRefusedError as refusal:
        return refusal.as_error()


def _result(result: Result) -> dict[str, Any]:
    if isinstance(result, CountinghouseError):
        problem = problem_of(result)
        return {"status": problem.status, "problem": problem.document()}
    return {"status": status_of(result), "body": consumed(result)}


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
        local_charge=values.get("local_charge"),
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
