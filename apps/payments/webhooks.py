"""POST /webhooks/stripe, POST /webhooks/orb: verify, store, answer; nothing else (spec 04, Webhooks; spec 09).

200 stands for a row that is committed, and whatever a provider signs gets one: what it means is read afterwards.
Guarded by the provider's signature alone: no session, no CSRF token.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views import View

from apps.core import clock
from apps.core.errors import CountinghouseError, ErrorKind
from apps.core.observability.requests import current_request_id
from apps.core.wakeups import send_wakeup
from apps.core.wire.parser import DEFAULT_BODY_LIMIT
from apps.core.wire.problems import problem_response
from apps.core.wire.refusals import TooLargeError
from apps.payments.enums import EventSource
from apps.payments.inbox import PROCESS_TASK, store
from apps.payments.providers.contract import payment_provider, require_signature
from apps.payments.providers.parsing import read_at_door
from apps.subscriptions.enums import Provider


class WrongMethodError(CountinghouseError):
    """A webhook is posted."""

    kind = ErrorKind.METHOD_NOT_ALLOWED
    code = "method_not_allowed"
    title = "Method not allowed"


class WebhookView(View):
    """One provider's inbox."""

    provider: Provider = Provider.STRIPE

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.method != "POST":
            return _wrong_method()
        try:
            return self._receive(request)
        except Exception as error:  # noqa: BLE001 - each becomes an answer, and is logged there
            # Refusals as problem documents; a database that is away answers 503, and the provider delivers again.
            return problem_response(error)

    def _receive(self, request: HttpRequest) -> HttpResponse:
        body = _body(request)
        provider = payment_provider(self.provider)
        secrets = settings.WEBHOOK_SECRETS[self.provider.value]
        require_signature(provider, request.headers, body, secrets=secrets, now=clock.real_now())
        event = read_at_door(body)
        stored, is_heard = store(provider, event, source=EventSource.WEBHOOK, request_id=current_request_id())
        if stored is not None and is_heard:
            send_wakeup(PROCESS_TASK, str(stored))
        return HttpResponse(status=200)


def _body(request: HttpRequest) -> bytes:
    """The raw body, as it was signed; a longer one than the limit is not read to its end."""
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced[:12]) > DEFAULT_BODY_LIMIT:
        raise _too_large()
    body = request.read(DEFAULT_BODY_LIMIT + 1)
    if len(body) > DEFAULT_BODY_LIMIT:
        raise _too_large()
    return body


def _wrong_method() -> HttpResponse:
    answer = problem_response(WrongMethodError("Events are posted: POST."))
    answer.headers["Allow"] = "POST"
    return answer


def _too_large() -> TooLargeError:
    return TooLargeError(f"The body is over {DEFAULT_BODY_LIMIT} bytes.")
