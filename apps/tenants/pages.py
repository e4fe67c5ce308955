"""The base of every billing page: it resolves who asks, asks both gates, and draws the frame around the content.

A page is a subclass that names the operation of each method and its place in the navigation::

    class MembersPage(BillingPage):
        operations = {"GET": "members.read"}
        page = "members"

        def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
            return self.render("tenants/members.html", {"members": ...}, title="Members")

Its template extends `billing/base.html`. A workspace that the person can't see answers like one that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleNeed, Role
from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.core.observability.requests import current_request_id
from apps.core.operations import OPERATIONS
from apps.tenants.access import page_context, permits, require
from apps.tenants.models import Organization, User, Workspace
from apps.tenants.navigation import NavigationLink, links_for
from apps.tenants.posture import WorkspacePosture, posture_of
from apps.tenants.selectors.workspaces import workspace_with_organization, workspaces_of

# The switcher is a short way, not a directory: the rest is one step away on the list of all workspaces.
SWITCHER_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the content of a billing page."""

    workspace: Workspace
    organization: Organization
    role: str
    links: Sequence[NavigationLink]
    others: Sequence[Workspace]
    posture: WorkspacePosture


class BillingPage(View):
    """A page of one workspace. Sub-classes name the operation of each method; any other method answers 405."""

    operations: ClassVar[Mapping[str, str]] = {}
    page: ClassVar[str] = ""
    http_method_names: ClassVar[Sequence[str]] = ("get", "head", "post")  # type: ignore[misc] # a tuple can't change
    execution_context: ExecutionContext
    posture: WorkspacePosture

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Let only those through who may; raises `NotFoundError` or `ForbiddenError`, which become pages."""
        operation_name = self.operations.get("GET" if request.method == "HEAD" else request.method or "")
        if operation_name is None:
            return self.http_method_not_allowed(request)
        if not isinstance(request.user, User):
            return redirect_to_login(_way_back(request))
        self.execution_context = page_context(
            request.user, workspace_slug=kwargs["workspace_slug"], request_id=current_request_id()
        )
        require(self.execution_context, operation_name)
        self.posture = posture_of(self.execution_context, time_zone=self.workspace.organization.time_zone)
        if not self.posture.permits(OPERATIONS[operation_name].lifecycle):
            return self.render("billing/closed_to_you.html", {}, title="Not open now", status=HTTPStatus.FORBIDDEN)
        return super().dispatch(request, *args, **kwargs)

    @property
    def organization_id(self) -> OrganizationId:
        """The organization that the URL's workspace belongs to."""
        return OrganizationId(self.workspace.organization_id)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace of the URL, with its organization."""
        workspace_id = self.execution_context.workspace_id
        assert workspace_id is not None  # noqa: S101 - a page's context always has one; for the type checker
        return workspace_with_organization(WorkspaceId(workspace_id))

    def may(self, operation_name: str) -> bool:
        """Whether role and lifecycle both let the person do the operation; forms that lead nowhere are not shown."""
        need = OPERATIONS[operation_name].lifecycle
        return permits(self.execution_context, operation_name) and self.posture.permits(need)

    def render(self, template: str, facts: Mapping[str, Any], *, title: str, status: int = 200) -> HttpResponse:
        """The template within the frame."""
        return render(self.request, template, {**facts, "frame": self._frame(), "title": title}, status=status)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """405 that names the declared methods."""
        allowed = [*self.operations, *(["HEAD"] if "GET" in self.operations else [])]
        return HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})

    def _frame(self) -> Frame:
        workspace, context = self.workspace, self.execution_context
        assert isinstance(self.request.user, User)  # noqa: S101 - `dispatch` has let nobody else through
        own = workspaces_of(UserId(self.request.user.pk)).exclude(pk=workspace.pk)
        return Frame(
            workspace=workspace,
            organization=workspace.organization,
            role=Role(context.role).label,
            # Where nothing can be read, every link would lead to the same explanation.
            links=links_for(context, workspace_slug=workspace.slug, current=self.page)
            if self.posture.permits(LifecycleNeed.READ)
            else (),
            others=() if context.is_visit else list(own[:SWITCHER_LENGTH]),
            posture=self.posture,
        )


def _way_back(request: HttpRequest) -> str:
    """Where a person goes on after the sign-in: the page, but never the repetition of a change."""
    return request.get_full_path() if request.method in {"GET", "HEAD"} else reverse("billing-home")
