"""One call to the outside: guarded or not, never longer, larger or more often than its limits say (spec 06, Sync run).

429 and 5xx are repeated here a few times, with growing and random waits, as long as the server asks for a short one; a
longer wait is the caller's to plan. Whatever goes wrong is said without the headers, where the key stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import stamina
from urllib3.exceptions import HTTPError

from apps.core import clock
from apps.core.observability.spans import outgoing_span, trace_headers
from apps.core.outgoing.addresses import RefusedAddressError, checked_url
from apps.core.outgoing.connections import CheckedAdapter, Watch
from apps.core.outgoing.pace import keep_pace

_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_CHUNK = 64 * 1024
_ATTEMPTS = 3
_LONGEST_WISH = timedelta(days=30)
_LONGEST_WAIT_HERE = timedelta(seconds=5)
_CONNECT_SECONDS = 5
_READ_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Call:
    """A GET, or a POST of `json` or of `form` where there is one.

    `secret_headers` go to the address's own origin alone; they show in no text form of the call. `is_guarded` is
    for an address that a tenant typed; the operator's own settings are trusted. `seconds` bound the whole call with its
    redirects, `largest_body` is in bytes. A call that is not `is_repeatable` is made once, whatever comes of it.
    `is_to_product` is for a product of ours: its own trace continues ours, where there is one.
    """

    url: str
    # Empty: as the body says.
    method: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = field(default=None, repr=False)
    is_guarded: bool = True
    is_repeatable: bool = True
    is_to_product: bool = False
    seconds: int = 60
    largest_body: int = 8 * 1024 * 1024

    @property
    def has_body(self) -> bool:
        return self.json is not None or self.form is not None

    @property
    def verb(self) -> str:
        return self.method or ("POST" if self.has_body else "GET")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_worth_repeating(self) -> bool:
        """Whether the same call may go well later (429, 5xx)."""
        return self.status == _TOO_MANY_REQUESTS or self.status >= _SERVER_ERROR

    @property
    def retry_after(self) -> timedelta | None:
        """How long the server asks to wait; None where it does not say, or not in a form that can be read."""
        return _wait_of(self.headers.get("retry-after", ""))


class OutgoingError(Exception):
    """The call came to no answer. `is_permanent`: the same call can't go well later either."""

    def __init__(self, sentence: str, *, is_permanent: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.is_permanent = is_permanent


class _RepeatableError(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


def outgoing_call(call: Call) -> Answer:
    """Make the call. Raises `OutgoingError`, and `RefusedAddressError` before any socket is opened."""
    if call.is_guarded:
        checked_url(call.url)
    try:
        for attempt in stamina.retry_context(
            on=_worth_another_try,
            attempts=_ATTEMPTS if call.is_repeatable else 1,
            timeout=None,
            wait_initial=timedelta(milliseconds=200),
            wait_max=timedelta(seconds=2),
            wait_jitter=timedelta(milliseconds=500),
        ):
            with attempt:
                return _raise_for_retry(_once(call))
    except _RepeatableError as last:
        return last.answer
    raise AssertionError("stamina tries at least once")


def _raise_for_retry(answer: Answer) -> Answer:
    if answer.is_worth_repeating:
        raise _RepeatableError(answer)
    return answer


def _worth_another_try(error: Exception) -> bool | timedelta:
    """Whether to try again here, and after how long where the server says so."""
    if isinstance(error, _RepeatableError):
        wait = error.answer.retry_after
        return True if wait is None else wait if wait <= _LONGEST_WAIT_HERE else False
    return isinstance(error, OutgoingError) and not error.is_permanent


def _once(call: Call) -> Answer:
    host = urlsplit(call.url).hostname or ""
    if call.is_guarded:
        keep_pace(host)
    watch = Watch(is_guarded=call.is_guarded, seconds=call.seconds)
    try:
        with outgoing_span(host, call.verb) as note_status, watch.running(), _session() as session:
            answer = _followed(session, call)
            note_status(answer.status)
    except RefusedAddressError:
        raise
    except (requests.RequestException, HTTPError, OSError) as error:
        refusal = _refusal_within(error)
        if refusal is not None:
            raise refusal from None
        if watch.is_over:
            raise _too_slow(call) from None
        is_permanent = isinstance(error, requests.exceptions.SSLError | requests.exceptions.InvalidURL)
        # Without the cause: its text has the whole request.
        raise OutgoingError(f"{host} can't be reached ({_why(error)}).", is_permanent=is_permanent) from None
    # A body that is cut off at the deadline can look like one that has ended.
    if watch.is_over:
        raise _too_slow(call)
    return answer


def _why(error: Exception) -> str:
    """Which kind of failure it was, in words."""
    match error:
        case requests.exceptions.SSLError():
            return "its certificate is not accepted"
        case requests.exceptions.InvalidURL() | requests.exceptions.InvalidSchema():
            return "this is no address"
        case requests.exceptions.Timeout():
            return "it does not answer in time"
        case requests.exceptions.ConnectionError():
            return "it takes no connection"
    return "the connection broke off"


def _too_slow(call: Call) -> OutgoingError:
    return OutgoingError(f"{urlsplit(call.url).hostname} took longer than {call.seconds} seconds.")


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # neither proxies nor passwords of the machine's environment
    session.mount("https://", CheckedAdapter(max_retries=0, pool_maxsize=1))
    session.mount("http://", CheckedAdapter(max_retries=0, pool_maxsize=1))
    return session


def _followed(session: requests.Session, call: Call) -> Answer:
    """The answer at the end of the redirects, each of them judged like the first address."""
    for _ in range(_MOST_REDIRECTS + 1):
        response = session.request(
            call.verb,
            call.url,
            params=dict(call.params),
            json=call.json,
            data=call.form,
            headers={"Accept-Encoding": "identity", **call.headers, **call.secret_headers, **_of_trace(call)},
            timeout=(_CONNECT_SECONDS, min(_READ_SECONDS, call.seconds)),
            allow_redirects=False,
            stream=True,
        )
        with response:
            if response.status_code not in _REDIRECTS or "location" not in response.headers:
                return _read(response, call)
            call = _redirected(call, str(response.url), response.headers["location"])
    raise OutgoingError(f"{urlsplit(call.url).hostname} redirects too often.", is_permanent=True)


def _redirected(call: Call, here: str, location: str) -> Call:
    if call.has_body:
        raise OutgoingError(f"{urlsplit(here).hostname} redirects a question that has a body.", is_permanent=True)
    target = urljoin(here, location)
    if call.is_guarded:
        checked_url(target)
    is_same_origin = _origin(target) == _origin(here)
    return replace(
        call,
        url=target,
        params={},
        secret_headers=call.secret_headers if is_same_origin else {},
        is_to_product=call.is_to_product and is_same_origin,
    )


def _of_trace(call: Call) -> Mapping[str, str]:
    return trace_headers() if call.is_to_product else {}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _read(response: requests.Response, call: Call) -> Answer:
    if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise OutgoingError("The answer is compressed, which was not asked for.", is_permanent=True)
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK):
        body += chunk
        if len(body) > call.largest_body:
            raise OutgoingError(f"The answer is larger than {call.largest_body:,} bytes.", is_permanent=True)
    headers = MappingProxyType({name.lower(): value for name, value in response.headers.items()})
    return Answer(response.status_code, headers, bytes(body))


def _refusal_within(error: BaseException) -> RefusedAddressError | None:
    """The guard's refusal, if it is what lies below the libraries' own errors."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RefusedAddressError):
            return seen
        reason = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
    return None


def _wait_of(text: str) -> timedelta | None:
    if text.strip().isascii() and text.strip().isdigit():
        return min(timedelta(seconds=int(text.strip()[:9])), _LONGEST_WISH)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if not isinstance(moment, datetime):
        return None
    wait = moment.replace(tzinfo=moment.tzinfo or UTC) - clock.real_now()
    return min(max(wait, timedelta(0)), _LONGEST_WISH)
