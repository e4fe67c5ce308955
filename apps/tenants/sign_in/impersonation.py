"""Staff who look at one organization's pages as one of its members: read-only, for an hour, with a bar that says so.

The session stays that of the member of staff, and knows which impersonation runs. For each request to a tenant page,
and for no other, the request's user is the member: so the staff pages never see the member, the member's own sessions
are not touched, and whoever signs out or loses the role looks no longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError, NotFoundError
from apps.core.ids import OrganizationId, UserId
from apps.core.moments import in_zone, zone_of
from apps.core.observability.requests import current_request_id
from apps.core.operations import permits
from apps.core.pages import PROGRAM_PATHS, refusal_response
from apps.tenants.access import account_context, staff_context
from apps.tenants.contracts import Impersonator
from apps.tenants.enums import ImpersonationEnd
from apps.tenants.impersonation_rules import READING_METHODS, end_of
from apps.tenants.models import Impersonation, User
from apps.tenants.selectors.impersonations import chosen_as, impersonation_of, workspace_slugs
from apps.tenants.services import impersonation_end, impersonation_refuse, impersonation_view
from apps.tenants.services.impersonations import START

# What the session of the member of staff keeps.
_KEY = "impersonation"
_CHANGE = (
    "You are viewing these pages as a member, and can only read them. Nothing was changed. To change something for "
    "this organization, use the staff pages."
)
_ELSEWHERE = "You are viewing one organization as one of its members. To open other pages, end that first."


@dataclass(frozen=True, slots=True)
class Look:
    """What the bar above the pages says."""

    member: str
    organization: str
    until: str


def enter(request: HttpRequest, begun: Impersonation) -> None:
    """From now on this browser's tenant pages are seen as the member."""
    request.session[_KEY] = str(begun.pk)


def leave(request: HttpRequest, end: ImpersonationEnd) -> Impersonation | None:
    """End what the session knows of, if anything, and forget it."""
    found = request.session.pop(_KEY, None)
    staff = request.user
    if found is None or not isinstance(staff, User):
        return None
    context = account_context(staff, request_id=current_request_id())
    try:
        return impersonation_end(context, impersonation_id=UUID(found), end=end)
    except NotFoundError:
        return None


def leave_at_sign_out(sender: object, request: HttpRequest | None, **_: object) -> None:
    """Receives Django's signal, before the session is emptied."""
    if request is not None and hasattr(request, "session"):
        leave(request, ImpersonationEnd.SIGNED_OUT)


@csrf_protect
@require_POST
def end_impersonation(request: HttpRequest) -> HttpResponse:
    """End, and go back to the organization among the staff pages."""
    ended = leave(request, ImpersonationEnd.CLICKED)
    return HttpResponseRedirect(_staff_page(ended) if ended else reverse("admin:index"))


def _staff_page(row: Impersonation) -> str:
    return reverse("admin:tenants_organization_change", args=[row.organization_id])


class ImpersonationMiddleware:
    """Makes the request's user the member, on tenant pages alone, and lets nothing but reading through.

    A list of what is open, not of what is shut: a page that is added elsewhere is out of reach by itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Without a cookie there is no session, and nothing is to be read.
        found = request.session.get(_KEY) if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        if found is None or _is_own(request.path_info):
            return self.get_response(request)
        staff, row = request.user, impersonation_of(UUID(found))
        end = _judge(staff, row)
        if end is not None or row is None or not isinstance(staff, User):
            end = end or ImpersonationEnd.ROLE_LOST
            leave(request, end)
            return _show_end(request, row, end)
        context = staff_context(staff, organization=row.organization, request_id=current_request_id())
        _swap_user(request, row, staff)
        return self._refuse_or_keep(request, row, context) or self.get_response(request)

    def _refuse_or_keep(
        self, request: HttpRequest, row: Impersonation, context: ExecutionContext
    ) -> HttpResponseBase | None:
        """The answer where nothing is to be seen; None for a page that may be shown, once its view is kept."""
        path, home = request.path_info, reverse("billing-home")
        organization_id = OrganizationId(row.organization_id)
        is_there = path.startswith(home) and path != home
        slug = path.removeprefix(home).partition("/")[0] if is_there else ""
        is_page = bool(slug) and workspace_slugs(organization_id, slug=slug).exists()
        address = request.get_full_path() if is_page else ""
        if request.method not in READING_METHODS:
            impersonation_refuse(context, impersonation_id=row.pk, method=request.method or "", address=address)
            return _show_refusal(request, "Read-only", _CHANGE)
        first = workspace_slugs(organization_id).first()
        if path == home and first is not None:
            return HttpResponseRedirect(reverse("billing-workspace", args=[first]))
        if not is_page:
            impersonation_refuse(context, impersonation_id=row.pk, method=request.method or "")
            if is_there:
                # The very answer that everybody else gets to what they can't see.
                error: CountinghouseError = NotFoundError(
                    "There is nothing at this address, or it is not visible to you."
                )
                return refusal_response(request, error)
            return _show_refusal(request, "Not while you view as a member", _ELSEWHERE)
        if impersonation_view(context, impersonation_id=row.pk, address=address):
            return None
        return _show_end(request, row, ImpersonationEnd.REPLACED)


def _is_own(path: str) -> bool:
    """Whether the member of staff goes there as themselves: the staff pages, the way out, and what no session opens."""
    own = (reverse("admin:index"), settings.STATIC_URL, *PROGRAM_PATHS)
    return path.startswith(own) or path in {reverse("impersonation-end"), reverse("sign-out"), reverse("start")}


def _judge(staff: object, row: Impersonation | None) -> ImpersonationEnd | None:
    """Why it is over; None while it lasts. What somebody ended elsewhere is over, whatever they said."""
    if row is None or not isinstance(staff, User) or row.staff_id != staff.pk:
        return ImpersonationEnd.ROLE_LOST
    if row.ended_at is not None:
        return ImpersonationEnd(row.end)
    try:
        may = permits(staff_context(staff, request_id=current_request_id()), START)
    except CountinghouseError:
        may = False
    chosen = chosen_as(row.member, OrganizationId(row.organization_id), staff_id=UserId(staff.pk))
    return end_of(staff_may=may, chosen=chosen, ends_at=row.ends_at, now=clock.real_now())


def _swap_user(request: HttpRequest, row: Impersonation, staff: User) -> None:
    organization = row.organization
    row.member.impersonator = Impersonator(UserId(staff.pk), staff.email, OrganizationId(organization.pk))
    request.user = row.member
    until = f"{in_zone(row.ends_at, zone_of(organization.time_zone)):%H:%M}"
    cast("Any", request).look = Look(row.member.name or row.member.email, organization.name, until)


def _show_refusal(request: HttpRequest, title: str, sentence: str) -> HttpResponse:
    facts = {"title": title, "sentence": sentence}
    return render(request, "billing/look_refused.html", facts, status=HTTPStatus.FORBIDDEN)


def _show_end(request: HttpRequest, row: Impersonation | None, end: ImpersonationEnd) -> HttpResponse:
    title = "You no longer view these pages as a member"
    facts = {"title": title, "row": row, "why": end.label, "url": _staff_page(row) if row else ""}
    return render(request, "billing/look_over.html", facts, status=HTTPStatus.FORBIDDEN)
