"""The base of every billing page: it resolves who asks, checks role and lifecycle, and draws the frame.

A page is a subclass that names the operation of each method and its place in the navigation (`register_page`); its
template extends `billing/base.html`. A workspace that the person can't see answers like one that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar, Protocol

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleNeed, Role
from apps.core.errors import ForbiddenError
from apps.core.ids import OrganizationId, UserId
from apps.core.moments import write_day, zone_of
from apps.core.observability.requests import current_request_id
from apps.core.operations import OPERATIONS, permits, require
from apps.core.registry import Registry
from apps.tenants.access import page_context
from apps.tenants.models import Organization, User, Workspace
from apps.tenants.selectors.organizations import workspaces_of

# The rest is one click away, on the list of all workspaces.
SWITCHER_LENGTH = 12


@dataclass(frozen=True, slots=True)
class PageEntry:
    """One page of the navigation. `url_name` takes the argument `workspace_slug`; `operation` is what it needs.

    `is_always_open`: it opens even where the lifecycle lets the person read nothing else.

    Order (spec 08): Overview 10, Usage 20, Credits 30, Invoices 40, Members 50, Connectors 60, Automation 70, Help 80,
    Settings 90.
    """

    name: str
    label: str
    url_name: str
    order: int
    operation: str
    is_always_open: bool = False


@dataclass(frozen=True, slots=True)
class NavigationLink:
    label: str
    url: str
    is_current: bool


_pages: Registry[PageEntry] = Registry("billing page")


def register_page(
    name: str, *, label: str, url_name: str, order: int, operation: str, is_always_open: bool = False
) -> None:
    """Add a page to the navigation."""
    _pages.register(name, PageEntry(name, label, url_name, order, operation, is_always_open))


def links_for(
    context: ExecutionContext, *, workspace_slug: str, current: str = "", may_read: bool = True
) -> tuple[NavigationLink, ...]:
    """The pages that the context's role reaches, in order; `current` is the name of the page that is shown."""
    entries = sorted(_pages.values(), key=lambda entry: (entry.order, entry.name))
    return tuple(
        NavigationLink(entry.label, reverse(entry.url_name, args=[workspace_slug]), entry.name == current)
        for entry in entries
        if permits(context, entry.operation) and (may_read or entry.is_always_open)
    )


def page_url(context: ExecutionContext, name: str, workspace_slug: str) -> str:
    """The address of a page that apps above may have registered; empty where it is none, or not for this role."""
    entry = _pages.get(name)
    if entry is None or not permits(context, entry.operation):
        return ""
    return reverse(entry.url_name, args=[workspace_slug])


class BannerTone(Enum):
    """How urgent a banner is; its words say the same, so colour never carries it alone."""

    NOTE = "note"
    WARNING = "warning"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Banner:
    """The one banner of a page: what holds, why, and what helps (spec 08, Billing pages).

    `title` is a whole sentence that "while" can stand before. `is_about_payment`: paying what is owed lifts it.
    """

    tone: BannerTone
    title: str
    why: str
    remedy: str
    is_about_payment: bool = False


@dataclass(frozen=True, slots=True)
class LifecycleAccess:
    """What the lifecycle of the workspace allows a person now; the banner is None where nothing is restricted."""

    allowed: frozenset[LifecycleNeed]
    banner: Banner | None = None

    def permits(self, need: LifecycleNeed) -> bool:
        """Whether the lifecycle lets operations of this class through."""
        return need in self.allowed


class LifecycleAccessSource(Protocol):
    """Asks the lifecycle resolver for the context's workspace and role. The dates of the banner are in the zone."""

    def __call__(self, context: ExecutionContext, *, time_zone: str) -> LifecycleAccess: ...


_lifecycle_sources: Registry[LifecycleAccessSource] = Registry("lifecycle source")


def register_lifecycle(source: LifecycleAccessSource) -> None:
    """Set the one source; there is exactly one resolver, so a second is a mistake."""
    _lifecycle_sources.register("lifecycle", source)


def lifecycle_access(context: ExecutionContext, *, time_zone: str) -> LifecycleAccess:
    """What the lifecycle allows in the context's workspace. Without a source no page opens."""
    return _lifecycle_sources["lifecycle"](context, time_zone=time_zone)


@dataclass(frozen=True, slots=True)
class Dues:
    """What the organization owes: one amount a currency, of so many invoices, and where the first due one is paid.

    `pay_url` is the provider's own page of that invoice, empty where it has none; `pay_amount` is that invoice's.
    """

    amounts: Sequence[str] = ()
    count: int = 0
    pay_amount: str = ""
    pay_url: str = ""


_dues_sources: Registry[Callable[[OrganizationId], Dues | None]] = Registry("dues source")


def register_dues(source: Callable[[OrganizationId], Dues | None]) -> None:
    """Set the one source of what is owed."""
    _dues_sources.register("dues", source)


def dues_of(organization_id: OrganizationId) -> Dues | None:
    """What the organization owes; None where nothing is open."""
    return _dues_sources["dues"](organization_id)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a person can't do something that others, or they themselves at another time, can; and what helps."""

    text: str
    is_about_payment: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """What the template draws around the content of a billing page."""

    workspace: Workspace
    organization: Organization
    role: str
    links: Sequence[NavigationLink]
    others: Sequence[Workspace]
    lifecycle: LifecycleAccess
    dues: Dues | None
    today: str


class BillingPage(View):
    """A page of one workspace. Sub-classes name the operation of each method; any other method answers 405."""

    operations: ClassVar[Mapping[str, str]] = {}
    page: ClassVar[str] = ""
    http_method_names: ClassVar[Sequence[str]] = ("get", "head", "post")  # type: ignore[misc] # a tuple can't change
    execution_context: ExecutionContext
    lifecycle: LifecycleAccess

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check role and lifecycle. Raises `NotFoundError`, which becomes a page; a refusal is shown in the frame."""
        operation_name = self.operations.get("GET" if request.method == "HEAD" else request.method or "")
        if operation_name is None:
            return self.http_method_not_allowed(request)
        if not isinstance(request.user, User):
            return redirect_to_login(_return_path(request))
        self.execution_context = page_context(
            request.user, workspace_slug=kwargs["workspace_slug"], request_id=current_request_id()
        )
        self.lifecycle = lifecycle_access(self.execution_context, time_zone=self.workspace.organization.time_zone)
        try:
            require(self.execution_context, operation_name)
            if not self._permits_now(operation_name):
                return self._refuse_now(operation_name)
            return super().dispatch(request, *args, **kwargs)
        except ForbiddenError as error:
            facts = {"error": error, "request_id": current_request_id()}
            return self.render("billing/not_allowed.html", facts, title="Not allowed", status=HTTPStatus.FORBIDDEN)

    def _refuse_now(self, operation_name: str) -> HttpResponse:
        """What the lifecycle refuses, with its reason; the role would have let it through."""
        facts = {"obstacle": self.obstacle(operation_name), "may_read": self.lifecycle.permits(LifecycleNeed.READ)}
        return self.render("billing/not_now.html", facts, title="Not possible now", status=HTTPStatus.FORBIDDEN)

    @property
    def organization_id(self) -> OrganizationId:
        """The organization that the URL's workspace belongs to."""
        return OrganizationId(self.workspace.organization_id)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace of the URL, with its organization."""
        workspace_id = self.execution_context.workspace_id
        assert workspace_id is not None  # noqa: S101 - a page's context always has one; for the type checker
        return Workspace.objects.select_related("organization").get(pk=workspace_id)

    def may(self, operation_name: str) -> bool:
        """Whether role and lifecycle both let the person do the operation; forms that lead nowhere are not shown."""
        return permits(self.execution_context, operation_name) and self._permits_now(operation_name)

    def _permits_now(self, operation_name: str) -> bool:
        """Whether the lifecycle lets the operation through here; where it lets nobody read, nothing else either."""
        entry = _pages.get(self.page)
        is_open = self.lifecycle.permits(LifecycleNeed.READ) or (entry is not None and entry.is_always_open)
        return is_open and self.lifecycle.permits(OPERATIONS[operation_name].lifecycle)

    def obstacle(self, operation_name: str) -> Obstacle | None:
        """Why the person can't do the operation: the role, else the lifecycle (a form stays away with a reason)."""
        try:
            require(self.execution_context, operation_name)
        except ForbiddenError as error:
            return Obstacle(error.detail)
        operation, banner = OPERATIONS[operation_name], self.lifecycle.banner
        if self._permits_now(operation_name):
            return None
        if banner is None:
            return Obstacle(f"You can't {operation.allows or 'do this'} right now.")
        when = f"{banner.title[0].lower()}{banner.title[1:]}"
        text = f"You can't {operation.allows or 'do this'} while {when}. {banner.remedy}"
        return Obstacle(text, banner.is_about_payment)

    def render(self, template: str, facts: Mapping[str, Any], *, title: str, status: int = 200) -> HttpResponse:
        """Render the template within the frame."""
        return render(self.request, template, {**facts, "frame": self._frame(), "title": title}, status=status)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """405 that names the declared methods."""
        allowed = [*self.operations, *(["HEAD"] if "GET" in self.operations else [])]
        return HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})

    def _frame(self) -> Frame:
        workspace, context = self.workspace, self.execution_context
        # Where nothing can be read, every other link would lead to the same explanation.
        may_read, banner = self.lifecycle.permits(LifecycleNeed.READ), self.lifecycle.banner
        assert isinstance(self.request.user, User)  # noqa: S101 - `dispatch` has let nobody else through
        own = workspaces_of(UserId(self.request.user.pk)).exclude(pk=workspace.pk)
        if context.is_impersonated:
            own = own.filter(organization=workspace.organization_id)
        return Frame(
            workspace=workspace,
            organization=workspace.organization,
            role=Role(context.role).label,
            links=links_for(context, workspace_slug=workspace.slug, current=self.page, may_read=may_read),
            others=() if context.is_visit else list(own[:SWITCHER_LENGTH]),
            lifecycle=self.lifecycle,
            # What is owed, where paying it would lift the banner; no other page asks for it.
            dues=dues_of(self.organization_id) if banner and banner.is_about_payment else None,
            today=write_day(clock.now(), zone_of(workspace.organization.time_zone)),
        )


def _return_path(request: HttpRequest) -> str:
    """Where the sign-in leads: to the page, but never to the repetition of a change."""
    return request.get_full_path() if request.method in {"GET", "HEAD"} else reverse("billing-home")
