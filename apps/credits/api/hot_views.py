"""POST credits:authorize, credits:consume, credits:consume-batch: the endpoints that products ask all day."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.idempotency import Answer
from apps.core.wire.problems import problem_of
from apps.core.wire.refusals import FieldRefusedError
from apps.core.wire.schema import Example, documented
from apps.credits.api import examples
from apps.credits.api.bodies import (
    AuthorizeAnswer,
    AuthorizeBody,
    BatchAnswer,
    BatchBody,
    BatchItemBody,
    ConsumeAnswer,
    ConsumeBody,
)
from apps.credits.api.hot import (
    authorization_of,
    consumption_of,
    json_answer,
    on_wire,
    quick_authorization,
    quick_consumption,
)
from apps.credits.contracts import Consumption
from apps.credits.services import credits_authorize, credits_consume, credits_consume_batch
from apps.credits.services.consumption import Result
from apps.tenants.api.base import ProductView

_BATCH_LIMIT = 2 * 1024 * 1024


class AuthorizeView(ProductView):
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
        asked = quick_authorization(request.data) or authorization_of(self.read(AuthorizeBody, request))
        question, hold_ttl, key, local = asked
        context = self.context_for(request)
        answer = credits_authorize(context, question=question, hold_ttl=hold_ttl, key=key, local=local)
        return json_answer(on_wire(answer), 200)


class ConsumeView(ProductView):
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
        consumption = quick_consumption(request.data) or consumption_of(self.read(ConsumeBody, request))
        answer = credits_consume(self.context_for(request), consumption=consumption)
        return json_answer(consumed(answer), status_of(answer))


class ConsumeBatchView(ProductView):
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
