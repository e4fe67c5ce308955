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
from apps.core.wire.problems import handle, problem_of
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.schema import Example, documented
from apps.core.wire.serializers import StrictSerializer
from apps.core.wire.throttles import CallerThrottle
from apps.credits.api import examples
from apps.credits.api.bodies import (
    AuthorizeAnswer,
    AuthorizeBody,
    BatchAnswer,
    BatchBody,
    ConsumeAnswer,
    ConsumeBody,
)
from apps.credits.api.hot import authorization_of, consumption_of, json_answer, on_wire, read_body
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


_TOKENS = ServiceTokenAuthentication()


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
    return {**on_wire(dict(answer.body)), "replayed": answer.replayed}


def status_of(answer: Answer) -> int:
    """The first answer's status; a repetition answers 200."""
    return 200 if answer.replayed else answer.status


def _read_item(item: dict[str, Any]) -> Consumption | CountinghouseError:
    try:
        return consumption_of(ConsumeBody.read(item))
    except FieldRefusedError as refusal:
        return refusal.as_error()


def _result(result: Result) -> dict[str, Any]:
    if isinstance(result, CountinghouseError):
        problem = problem_of(result)
        return {"status": problem.status, "problem": problem.document()}
    return {"status": status_of(result), "body": consumed(result)}
