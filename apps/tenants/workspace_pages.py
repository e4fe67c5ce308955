"""The pages of a workspace that tenants serves itself: the way to its first page, Members, Help."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.core.enums import MembershipRole
from apps.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    Reason,
    UnprocessableError,
)
from apps.core.ids import UserId
from apps.core.mails import support_address
from apps.core.moments import write_day, zone_of
from apps.tenants.enums import MembershipOrigin
from apps.tenants.forms import InviteForm, offered_roles
from apps.tenants.memberships import ROLE_WORDS, refuse_member_change
from apps.tenants.models import Membership
from apps.tenants.pages import BillingPage, links_for
from apps.tenants.selectors.members import members_page, owner_emails
from apps.tenants.services import member_end, member_invite, member_invite_again, member_role_change

PAGE_SIZE = 50
_MOST_OWNERS = 5


class WorkspaceHome(BillingPage):
    """The address of a workspace: leads to the first page that the person may open."""

    operations: ClassVar[dict[str, str]] = {"GET": "workspaces.read"}

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Redirect to the first page of the navigation."""
        links = links_for(self.execution_context, workspace_slug=workspace_slug)
        if not links:
            raise ForbiddenError(
                "Your role opens none of this workspace's pages. Ask an admin of your organization.",
                explanation=[Reason("role", "deny", f"the role {self.execution_context.role.value} opens no page")],
            )
        return HttpResponseRedirect(links[0].url)


class HelpPage(BillingPage):
    """How usage, credits, grace, connectors and automation work, and whom to ask."""

    operations: ClassVar[dict[str, str]] = {"GET": "workspaces.read"}
    page = "help"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The page; owners are named to who may see members."""
        owners = owner_emails(self.organization_id)[:_MOST_OWNERS] if self.may("members.read") else []
        facts = {"owners": owners, "contact": support_address(), "roles": ROLE_WORDS.items()}
        return self.render("billing/help.html", facts, title="Help")


class MembersPage(BillingPage):
    """Who may do what here; admins and owners invite from here."""

    operations: ClassVar[dict[str, str]] = {"GET": "members.read", "POST": "member.invite"}
    page = "members"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """A part of the list, by e-mail address."""
        return self._show(InviteForm(own=self.execution_context.role))

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Invite somebody, or show the form again with what is wrong."""
        form = InviteForm(request.POST, own=self.execution_context.role)
        if not form.is_valid():
            return self._show(form, HTTPStatus.UNPROCESSABLE_ENTITY)
        values = form.cleaned_data
        try:
            member = member_invite(
                self.execution_context,
                organization_id=self.organization_id,
                email=values["email"],
                name=values["name"],
                role=MembershipRole(values["role"]),
            )
        except (ConflictError, UnprocessableError) as refusal:
            for error in refusal.errors:
                is_half = error.message[:1].islower()
                form.add_error("email", f"The address {error.message}" if is_half else error.message)
            if not refusal.errors:
                form.add_error(None, refusal.detail)
            return self._show(form, HTTPStatus.UNPROCESSABLE_ENTITY)
        messages.success(request, f"{member.user.email} is a member now, and gets a mail that says how to sign in.")
        return HttpResponseRedirect(reverse("billing-members", args=[workspace_slug]))

    def _show(self, form: InviteForm, status: int = HTTPStatus.OK) -> HttpResponse:
        asked = self.request.GET
        wanted, after = asked.get("q", "").strip()[:200], asked.get("after", "")[:300]
        rows, next_after = members_page(self.organization_id, matching=wanted, after=after, size=PAGE_SIZE)
        invite_obstacle, change_obstacle = self.obstacle("member.invite"), self.obstacle("members.change")
        obstacles = {found.text: found for found in (invite_obstacle, change_obstacle) if found}
        facts = {
            "members": [self._line(row, may_change=change_obstacle is None) for row in rows],
            "form": None if invite_obstacle else form,
            "obstacles": list(obstacles.values()),
            "roles": ROLE_WORDS.items(),
            "wanted": wanted,
            "has_search": bool(wanted or after or next_after),
            "is_first": not after,
            "next_after": next_after,
            "may_invite": invite_obstacle is None,
        }
        return self.render("billing/members.html", facts, title="Members", status=status)

    def _line(self, row: Membership, *, may_change: bool) -> dict[str, Any]:
        own, stored = self.execution_context.role, MembershipRole(row.role)
        may_touch = may_change and refuse_member_change(actor=own, stored=stored, wanted=None) is None
        user = row.user
        return {
            "id": user.pk,
            "email": user.email,
            "name": user.name,
            "is_you": user == self.request.user,
            "role": stored,
            "roles": offered_roles(own) if may_touch else [],
            "since": write_day(row.created_at, zone_of(self.workspace.organization.time_zone)),
            "origin": _origin(row),
            "is_new": user.last_login is None and not user.has_usable_password(),
            "is_active": user.is_active,
        }


def _origin(row: Membership) -> str:
    match MembershipOrigin(row.origin):
        case MembershipOrigin.PRODUCT:
            return f"reported by {row.origin_product.name}" if row.origin_product else "reported by a product"
        case MembershipOrigin.IDENTITY:
            return "from your company's sign-in service"
        case MembershipOrigin.CONSOLE:
            return "added here"


class _MemberAction(BillingPage):
    """A form about one member, which leads back to the list with what became of it."""

    page = "members"

    def act_and_return(self, act: Callable[[], str]) -> HttpResponse:
        """Run the action; a refusal that a person can understand is shown above the list."""
        try:
            messages.success(self.request, act())
        except (ConflictError, NotFoundError, ForbiddenError, UnprocessableError) as refusal:
            messages.error(self.request, refusal.detail)
        return HttpResponseRedirect(reverse("billing-members", args=[self.workspace.slug]))


class MemberRole(_MemberAction):
    """Gives a member another role."""

    operations: ClassVar[dict[str, str]] = {"POST": "members.change"}

    def post(self, request: HttpRequest, workspace_slug: str, user_id: UUID) -> HttpResponse:
        return self.act_and_return(lambda: self._change(user_id, request.POST.get("role", "")))

    def _change(self, user_id: UUID, text: str) -> str:
        if text not in MembershipRole.values:
            raise UnprocessableError("Choose one of the roles in the list. Nothing was changed.")
        role = MembershipRole(text)
        member = member_role_change(
            self.execution_context, organization_id=self.organization_id, user_id=UserId(user_id), role=role
        )
        return f"{member.user.email} has the role {role.label} now."


class MemberRemove(_MemberAction):
    """Removes a member."""

    operations: ClassVar[dict[str, str]] = {"POST": "members.change"}

    def post(self, request: HttpRequest, workspace_slug: str, user_id: UUID) -> HttpResponse:
        """Remove; who removes themselves is led to their other workspaces."""
        answer = self.act_and_return(lambda: self._remove(user_id))
        is_you = str(user_id) == self.execution_context.actor.id
        return HttpResponseRedirect(f"{reverse('billing-home')}?all=1") if is_you and self._is_gone else answer

    _is_gone = False

    def _remove(self, user_id: UUID) -> str:
        user = member_end(self.execution_context, organization_id=self.organization_id, user_id=UserId(user_id))
        self._is_gone = True
        return f"{user.email} is no member of {self.workspace.organization.name} any more."


class MemberInvitation(_MemberAction):
    """Sends the invitation once more."""

    operations: ClassVar[dict[str, str]] = {"POST": "member.invite"}

    def post(self, request: HttpRequest, workspace_slug: str, user_id: UUID) -> HttpResponse:
        return self.act_and_return(lambda: self._send(user_id))

    def _send(self, user_id: UUID) -> str:
        member = member_invite_again(
            self.execution_context, organization_id=self.organization_id, user_id=UserId(user_id)
        )
        return f"The invitation of {member.user.email} was sent again. Earlier links no longer work."
