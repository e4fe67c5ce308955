"""Errors outside of DRF: problem documents for programs, plain friendly pages for people.

`refusal_response` is what a page's middleware and Django's own handlers answer with. It never says more than the
problem document would.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string

from apps.core.errors import CountinghouseError, Reason
from apps.core.observability.requests import current_request_id
from apps.core.unavailability import is_unavailable
from apps.core.wire import problems

PROGRAM_PATHS = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics")
_OTHER_METHOD = problems.Problem(
    HTTPStatus.METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "There is no page here",
    "This address only receives a form. Open the page with the form, and send it from there.",
)
_OWN_PAGES = frozenset({400, 403, 404, 500, 503})
# Where a page of a refusal leads on to, by the beginning of its address; the last is for every other one.
_WAYS_ON = (
    ("/admin/", "Staff home", "/admin/"),
    ("/billing/", "Your workspaces", "/billing/"),
    ("/account/", "Your workspaces", "/billing/"),
    ("", "Start page", "/"),
)


class RefusalPagesMiddleware:
    """Turns our own errors, raised in a page's view, into the page that says so. Stands last, next to the views.

    Django refuses a method with an empty answer, which a browser shows as a blank page: it becomes a page too. People
    come there by the address of a form: by a reload, a bookmark, or a sign-in in between.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or request.path.startswith(PROGRAM_PATHS):
            return response
        page = page_of(_OTHER_METHOD, request.path)
        page.headers["Allow"] = response.headers.get("Allow", "")
        return page

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """None for what Django's own handlers answer."""
        if isinstance(error, CountinghouseError) or is_unavailable(error):
            return refusal_response(request, error)
        return None


def refusal_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to an error, in the form that this path's callers read."""
    answer = problems.problem_response(error)
    return answer if request.path.startswith(PROGRAM_PATHS) else page_of(answer.problem, request.path)


def answer_before_django(path: str, problem: problems.Problem) -> HttpResponse:
    """The answer to a request that the web server refuses by itself: no page, since pages need a request."""
    return problems.ProblemResponse(problem) if path.startswith(PROGRAM_PATHS) else _plain(problem)


def page_of(problem: problems.Problem, path: str) -> HttpResponse:
    """The page that tells a person what the problem document tells a program, with a way on from that address."""
    template = f"{problem.status}.html" if problem.status in _OWN_PAGES else "refusal.html"
    facts = {"problem": problem, "request_id": current_request_id(), "way_on": find_way_on(path)}
    try:
        text = render_to_string(template, facts)
    except (TemplateDoesNotExist, ValueError):
        # A missing template or static file must not hide the error behind another one.
        return _plain(problem)
    return HttpResponse(text, status=problem.status, headers=dict(problem.headers))


def find_way_on(path: str) -> tuple[str, str]:
    """The label and the address of a page that whoever came to the path can go on to."""
    return next((label, address) for beginning, label, address in _WAYS_ON if path.startswith(beginning))


def _plain(problem: problems.Problem) -> HttpResponse:
    text = f"{problem.title}\n{problem.detail}\n"
    headers = {"Cache-Control": "no-store", **problem.headers}
    return HttpResponse(text, status=problem.status, content_type="text/plain; charset=utf-8", headers=headers)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler400`."""
    return _answer(request, problems.BAD_REQUEST)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler403`."""
    return _answer(request, problems.FORBIDDEN)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`: the same answer for what is absent and for what is not visible."""
    return _answer(request, problems.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`; Django has logged the error with its traceback.

    An error of a middleware, which no view's handler sees, comes here too: that the database is away is still no fault
    of ours.
    """
    error = sys.exception()
    if isinstance(error, Exception) and is_unavailable(error):
        return refusal_response(request, error)
    return _answer(request, problems.INTERNAL)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's `CSRF_FAILURE_VIEW`."""
    return _answer(
        request,
        problems.Problem(
            HTTPStatus.FORBIDDEN,
            "csrf_failed",
            "This page is out of date",
            "The form could not be matched with your session. Go back, reload the page and send it again.",
            explanation=(Reason("csrf", "deny", "the CSRF token is missing or belongs to another session"),),
        ),
    )


def _answer(request: HttpRequest, problem: problems.Problem) -> HttpResponse:
    if request.path.startswith(PROGRAM_PATHS):
        return problems.ProblemResponse(problem)
    return page_of(problem, request.path)
