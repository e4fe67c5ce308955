"""The way in from a product, and what a visit that came by it may see: one workspace's pages, for an hour."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.core.errors import ForbiddenError, NotFoundError, Reason
from apps.core.mails import moment_in_zone
from apps.core.observability.requests import current_request_id
from apps.core.pages import refusal_response
from apps.tenants.access import account_context
from apps.tenants.link_rules import VISIT_LASTS, LinkState
from apps.tenants.models import SignInLink
from apps.tenants.selectors.links import link_by_token
from apps.tenants.selectors.visits import Visit, visit_of
from apps.tenants.services import portal_session_begin
from apps.tenants.services.portal_sessions import portal_link_state
from apps.tenants.services.sign_in_links import LinkRefusedError
from apps.tenants.sign_in.sessions import Method, begin_session

# What the session keeps: the link whose visit it is, or the way back beside a session of the person's own.
_VISIT, _WAY_BACK = "portal_link", "way_back"
_STATUSES = {LinkState.UNKNOWN: HTTPStatus.NOT_FOUND, LinkState.OF_ANOTHER_PERSON: HTTPStatus.CONFLICT}


@dataclass(frozen=True, slots=True)
class WayBack:
    """What the bar above the pages says. `until` is empty where the session is the person's own."""

    product: str
    url: str
    until: str = ""


@require_GET
def portal_session(request: HttpRequest, token: str) -> HttpResponse:
    """Use the link and go on to the workspace. Comes by a redirect of the product, so that it works by GET."""
    link = link_by_token(token)
    state = portal_link_state(link)
    user = request.user
    if state is LinkState.OPEN and link is not None and user.is_authenticated and user.pk != link.user_id:
        state = LinkState.OF_ANOTHER_PERSON
    if link is None or state is not LinkState.OPEN:
        return _show_refusal(request, link, state)
    try:
        link = portal_session_begin(account_context(link.user, request_id=current_request_id()), link_id=link.pk)
    except LinkRefusedError as refusal:
        return _show_refusal(request, link, refusal.state)
    _begin(request, link)
    assert link.workspace is not None  # noqa: S101 - held by the database; for the type checker
    return HttpResponseRedirect(reverse("billing-workspace", args=[link.workspace.slug]))


def _begin(request: HttpRequest, link: SignInLink) -> None:
    """A session of the person's own stays as it is, with the way back beside it; else the visit's session begins."""
    if request.user.is_authenticated and _VISIT not in request.session:
        request.session[_WAY_BACK] = [link.product.name if link.product else "", link.return_url]
        return
    begin_session(request, link.user, Method.PORTAL)
    request.session[_VISIT] = str(link.pk)
    request.session.set_expiry(int(VISIT_LASTS.total_seconds()))


def _show_refusal(request: HttpRequest, link: SignInLink | None, state: LinkState) -> HttpResponse:
    is_other_person = state is LinkState.OF_ANOTHER_PERSON
    facts = {
        "title": "Someone else is signed in here" if is_other_person else "This link no longer works",
        "state": state.value,
        "product": link.product if link is not None and link.kind == "portal" else None,
        "return_url": link.return_url if link is not None else "",
    }
    status = _STATUSES.get(state, HTTPStatus.GONE)
    return render(request, "billing/portal_refused.html", facts, status=status)


class PortalSessionMiddleware:
    """Holds a visit from a product to its workspace, asking at every request whether it still lasts.

    A list of what is open, not of what is shut: a page that is added elsewhere is out of reach by itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Without a cookie there is no session, and nothing is to be read.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        marked = cast("Any", request)
        link_id = request.session.get(_VISIT)
        if link_id is None:
            product, url = request.session.get(_WAY_BACK) or ("", "")
            marked.way_back = WayBack(product, url) if product else None
            return self.get_response(request)
        visit = visit_of(uuid.UUID(link_id))
        if visit is None or not visit.is_live or request.user.pk != visit.user_id:
            return self._end_visit(request, visit)
        marked.visit = visit
        marked.way_back = WayBack(visit.product_name, visit.return_url, moment_in_zone(visit.ends_at, visit.time_zone))
        request.user.portal_workspace_id = visit.workspace_id
        return _refuse_outside(request, visit) or self.get_response(request)

    def _end_visit(self, request: HttpRequest, visit: Visit | None) -> HttpResponseBase:
        logout(request)
        if not request.path_info.startswith(("/billing/", "/account/")):
            return self.get_response(request)
        facts = {"title": "Your visit has ended", "visit": visit}
        return render(request, "billing/portal_over.html", facts, status=HTTPStatus.FORBIDDEN)


def _refuse_outside(request: HttpRequest, visit: Visit) -> HttpResponse | None:
    """The refusal for pages outside of the visit; None for pages that it may see."""
    path, home = request.path_info, reverse("billing-workspace", args=[visit.workspace_slug])
    if path.startswith((home, "/portal/", "/sign-in/", settings.STATIC_URL)) or path == reverse("sign-out"):
        return None
    if path == reverse("billing-home"):
        return HttpResponseRedirect(home)
    if path.startswith(reverse("account")):
        return refusal_response(
            request,
            ForbiddenError(
                f"You came from {visit.product_name}. To change your account, sign out and sign in here yourself.",
                explanation=[Reason("portal_session", "deny", "A session that a product began changes no account.")],
            ),
        )
    return refusal_response(request, NotFoundError("There is nothing at this address, or it is not visible to you."))
