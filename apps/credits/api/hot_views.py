"""POST credits:authorize, credits:consume, credits:consume-batch: the endpoints that products ask all day."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.request import Request

from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.observability.requests import current_request_id
from apps.core.operations import require
from apps.core.wire.parser import parse_object
from apps.core.wire.problems import handle, problem_of
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.schema import Example, documented
from apps.core.wire.throttles import CallerThrottle
from apps.credits.api import examples
from apps.credits.api.bodies import (
    MOST_ITEMS,
    AuthorizeAnswer,
    AuthorizeBody,
    BatchAnswer,
    BatchBody,
    BatchItemBody,
    ConsumeAnswer,
    ConsumeBody,
)
from apps.credits.api.hot import (
    Authorization,
    authorization_of,
    consumption_of,
    json_answer,
    on_wire,
    quick_authorization,
    quick_consumption,
    quick_object,
)
from apps.credits.contracts import Consumption
from apps.credits.services import credits_authorize, credits_consume, credits_consume_batch
from apps.credits.services.consumption import Result
from apps.tenants.access import api_context
from apps.tenants.api.base import ProductView
from apps.tenants.authentication import ServiceTokenAuthentication
from apps.tenants.contracts import ProductCaller

_BATCH_LIMIT = 2 * 1024 * 1024


class HotView(ProductView):
    """A view of DRF with a short way for the common request: the same token check, gate, throttle and strict parser,
    one after the other, without DRF's own request around them. Whatever is unusual goes DRF's way, which answers it.
    """

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

    def quick(self, context: ExecutionContext, data: dict[str, Any]) -> HttpResponse | None:
        """The answer to a body that msgspec takes; None where the strict serializer must look."""
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
        return self.quick(context, quick_object(request.body) or parse_object(request.body))


_TOKENS = ServiceTokenAuthentication()


class AuthorizeView(HotView):
    """Whether an account may consume, at what price; with `hold` the credits are held."""

    operations: ClassVar[dict[str, str]] = {"POST": "credits.authorize"}

    @documented(
        operation="credits.authorize",
        request=AuthorizeBody,
        responses={200: AuthorizeAnswer},
        statuses=(404, 409),
        examples=(Example("authorize", request=examples.AUTHORIZE, answer=examples.AUTHORIZE_ANSWER),),
    )
    def post(self, request: Request) -> HttpResponse:
        return _authorized(self.context_for(request), authorization_of(self.read(AuthorizeBody, request)))

    def quick(self, context: ExecutionContext, data: dict[str, Any]) -> HttpResponse | None:
        asked = quick_authorization(data)
        return None if asked is None else _authorized(context, asked)


class ConsumeView(HotView):
    """Charge one run, once for its key."""

    operations: ClassVar[dict[str, str]] = {"POST": "credits.consume"}

    @documented(
        operation="credits.consume",
        request=ConsumeBody,
        responses={201: ConsumeAnswer, 200: ConsumeAnswer},
        statuses=(402, 404, 409),
        examples=(Example("consume", request=examples.CONSUME, answer=examples.CONSUME_ANSWER),),
    )
    def post(self, request: Request) -> HttpResponse:
        return _consumed(self.context_for(request), consumption_of(self.read(ConsumeBody, request)))

    def quick(self, context: ExecutionContext, data: dict[str, Any]) -> HttpResponse | None:
        consumption = quick_consumption(data)
        return None if consumption is None else _consumed(context, consumption)


class ConsumeBatchView(HotView):
    """Charge up to 1,000 runs; each succeeds or fails alone, the results are in order."""

    operations: ClassVar[dict[str, str]] = {"POST": "credits.consume"}
    body_limit = _BATCH_LIMIT

    @documented(
        operation="credits.consume",
        operation_id="credits_consume_batch",
        request=BatchBody,
        responses={200: BatchAnswer},
        examples=(Example("batch", request={"items": [examples.CONSUME]}, answer=examples.BATCH_ANSWER),),
    )
    def post(self, request: Request) -> HttpResponse:
        items = self.read(BatchItemBody, request)["items"]
        context = self.context_for(request)
        return json_answer({"results": _results(context, [_item(item) for item in items])}, 200)

    def quick(self, context: ExecutionContext, data: dict[str, Any]) -> HttpResponse | None:
        items = data.get("items")
        if len(data) != 1 or not isinstance(items, list) or not 0 < len(items) <= MOST_ITEMS:
            return None
        if not all(isinstance(item, dict) for item in items):
            return None
        return json_answer({"results": _results(context, [_item(item) for item in items])}, 200)


def _authorized(context: ExecutionContext, asked: Authorization) -> HttpResponse:
    question, hold_ttl, key, local = asked
    answer = credits_authorize(context, question=question, hold_ttl=hold_ttl, key=key, local=local)
    return json_answer(on_wire(answer), 200)


def _consumed(context: ExecutionContext, consumption: Consumption) -> HttpResponse:
    answer = credits_consume(context, consumption=consumption)
    return json_answer(consumed(answer), status_of(answer))


def consumed(answer: Answer) -> dict[str, Any]:
    """A consumption's answer on the wire."""
    return {**on_wire(dict(answer.body)), "replayed": answer.replayed}


def status_of(answer: Answer) -> int:
    """The first answer's status; a repetition answers 200."""
    return 200 if answer.replayed else answer.status


def _item(item: dict[str, Any]) -> Consumption | CountinghouseError:
    consumption = quick_consumption(item)
    if consumption is not None:
        return consumption
    try:
        return consumption_of(ConsumeBody().run_validation(item))
    except FieldRefusedError as refusal:
        return refusal.as_error()


def _results(context: ExecutionContext, items: list[Consumption | CountinghouseError]) -> list[dict[str, Any]]:
    sound = [item for item in items if isinstance(item, Consumption)]
    results = iter(credits_consume_batch(context, consumptions=sound) if sound else [])
    return [_result(next(results) if isinstance(item, Consumption) else item) for item in items]


def _result(result: Result) -> dict[str, Any]:
    if isinstance(result, CountinghouseError):
        problem = problem_of(result)
        return {"status": problem.status, "problem": problem.document()}
    return {"status": status_of(result), "body": consumed(result)}
