"""Text that PostgreSQL can't hold is refused at the door, wherever in a request it stands.

A NUL, or half of a surrogate pair, would fail in whichever statement comes to it first. So path, query, headers and
cookies are looked through before anything reads them, and forms before their view does. JSON bodies are the strict
parser's part (`apps.core.wire.parser`). Text in another encoding than UTF-8 is refused too: Django would decode it by
any codec that Python knows, `unicode_escape` included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponseBase
from django.http.request import QueryDict, UnreadablePostError
from django.utils.http import parse_header_parameters

from apps.core.errors import FieldError, MalformedRequestError
from apps.core.pages import PROGRAM_PATHS, refusal_response
from apps.core.texts import UNSTORABLE
from apps.core.wire.client_address import is_forwarded_https
from apps.core.wire.refusals import UnsupportedMediaTypeError

_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_LONGEST_NAME = 60


class SiteRequest(WSGIRequest):
    """A request whose text is UTF-8 whatever its charset says; the middleware refuses one that says otherwise.

    Django would decode the query by that codec before any middleware runs, and fail by `charset=hex`. It would also
    believe `X-Forwarded-Proto` of everybody, or of nobody.
    """

    def _get_scheme(self) -> str:
        return "https" if is_forwarded_https(self.META) else str(self.META["wsgi.url_scheme"])

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class InputTextHandler(WSGIHandler):
    """Django's handler of WSGI, with such requests."""

    request_class = SiteRequest


class InputTextMiddleware:
    """Stands before whatever reads a header, a cookie or the query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            _check_head(request)
        except (MalformedRequestError, UnsupportedMediaTypeError) as error:
            return refusal_response(request, error)
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """None where the form, if there is one, can be stored. Programs send no forms."""
        if request.content_type not in _FORMS or request.path_info.startswith(PROGRAM_PATHS):
            return None
        try:
            _check(_pairs(request.POST))
            _check((name, str(upload)) for name, upload in request.FILES.items())
        except MalformedRequestError as error:
            return refusal_response(request, error)
        except (SuspiciousOperation, UnreadablePostError):
            return None  # what is no form at all is answered by Django, when the view asks for it
        return None


def _check_head(request: HttpRequest) -> None:
    meta = request.META
    content_type = meta.get("CONTENT_TYPE", "")
    if "charset" in content_type.lower():
        _check_encoding(content_type)
    for name, value in meta.items():
        if type(value) is str and UNSTORABLE.search(value):
            raise _refusal(f"the header {name.removeprefix('HTTP_').replace('_', '-').title()}")
    if UNSTORABLE.search(request.path_info):
        raise _refusal("the address")
    if meta.get("QUERY_STRING"):
        _check(_pairs(request.GET))
    if "HTTP_COOKIE" in meta:
        # Quoted cookies spell any character in octal.
        _check(request.COOKIES.items())


def _check_encoding(content_type: str) -> None:
    charset = parse_header_parameters(content_type)[1].get("charset", "utf-8")
    if charset.strip("'\" ").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaTypeError("Send text in UTF-8, or without a charset.")


def _pairs(values: QueryDict) -> Iterable[tuple[str, str]]:
    return ((name, str(value)) for name, found in values.lists() for value in ("", *found))


def _check(pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        if UNSTORABLE.search(name) or UNSTORABLE.search(value):
            raise _refusal(UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", name[:_LONGEST_NAME]))


def _refusal(where: str) -> MalformedRequestError:
    message = "text may not hold a NUL character or half of a surrogate pair; remove it and send it again."
    return MalformedRequestError(f"{where}: {message}", errors=[FieldError(where, "invalid_text", message)])
