"""Users and memberships."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import display
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import (
    NOTHING,
    badge,
    badges,
    code,
    list_url,
    moment,
    number,
    page_url_of,
    record_link,
    title_and_slug,
)
from apps.backoffice.filters import choice_filter, flag_filter, organization_filter, person_filter
from apps.backoffice.pages.impersonations import VIEW_AS
from apps.backoffice.pages.lookups import count_of
from apps.backoffice.pages.member_verbs import MEMBER_VERBS, REMOVE, member_dialog
from apps.backoffice.panels import Fact, Panel, panel_of
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.records.decisions import denials_panel
from apps.backoffice.sign_in.second_factor import second_factor_remove
from apps.backoffice.staff import may
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.enums import MembershipRole, Role
from apps.core.ids import UserId
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.models.receipts import ASKED_BY
from apps.tenants.enums import LinkKind, MembershipOrigin
from apps.tenants.link_rules import LinkState, time_state
from apps.tenants.models import Membership, Organization, SignInLink, User
from apps.tenants.services import sign_in_link_send

SEND_LINK = "users.send_link"
_STATES = {
    LinkState.OPEN: "Open",
    LinkState.USED: "Used",
    LinkState.LATE: "Expired",
    LinkState.REPLACED: "Replaced",
}


def _mail(context: ExecutionContext, user: User, kind: LinkKind, reason: str) -> str:
    link = sign_in_link_send(context, user_id=UserId(user.pk), kind=kind, reason=reason)
    return f"{link.get_kind_display()} is on its way to {link.email}."


def _sign_in_refusal(user: User) -> str:
    return "This is a staff account: staff sign in with password and second factor." if user.is_staff else ""


def _invitation_refusal(user: User) -> str:
    return _sign_in_refusal(user) or ("This person has already signed in." if user.last_login is not None else "")


def _remove_second_factor(context: ExecutionContext, user: User, form: ReasonForm) -> str:
    second_factor_remove(context, user_id=UserId(user.pk), reason=form.cleaned_data["reason"])
    return f"{user.email} sets up a new second factor at the next sign-in."


USER_VERBS = (
    Verb(
        name="send_sign_in_link",
        label="Send sign-in link",
        description="Mails a link to the person's address that signs them in. It works once, for 30 minutes.",
        submit="Send the link",
        operation=SEND_LINK,
        icon="link",
        refusal=_sign_in_refusal,
        run=lambda context, user, form: _mail(context, user, LinkKind.SIGN_IN, form.cleaned_data["reason"]),
    ),
    Verb(
        name="send_invitation",
        label="Send invitation",
        description="Mails a link with which the person chooses a password. It works once, for 7 days, and replaces an "
        "older one.",
        submit="Send the invitation",
        operation=SEND_LINK,
        icon="forward_to_inbox",
        refusal=_invitation_refusal,
        run=lambda context, user, form: _mail(context, user, LinkKind.INVITATION, form.cleaned_data["reason"]),
    ),
    Verb(
        name="remove_second_factor",
        label="Remove second factor",
        description="For a lost device. At the next sign-in this person sets up a new one; until then the password "
        "alone is enough.",
        submit="Remove",
        operation="users.remove_second_factor",
        icon="phonelink_erase",
        refusal=lambda user: "" if user.is_staff else "Only staff accounts have a second factor.",
        run=_remove_second_factor,
        is_dangerous=True,
    ),
)


class UserAdmin(StaffAdmin[User]):
    """People who can sign in, or whom a product reported."""

    operation = "users.read"
    icon = "person"
    heading = "Users"
    about = (
        "Everyone with an account. Created by the identity service and by products; staff accounts are "
        "created on the console."
    )
    ordering = ("email",)
    list_display = ("named", "platform_roles", "membership_count", "state", "last_seen")
    list_filter = (
        flag_filter("staff", "staff", Q(is_staff=True)),
        flag_filter("active", "active", Q(is_active=True)),
    )
    search_prefixes = ("email",)
    search_names = ("name",)
    search_help_text = "Id, e-mail address or beginning of the name"
    verbs = USER_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        groups = User.groups.through.objects.filter(user=OuterRef("pk")).values("group__name")
        people = super().get_queryset(request).select_related("created_by_product").defer("password")
        return people.annotate(role_names=ArraySubquery(groups), member_of=count_of(Membership, "user_id"))

    @display(description="Person")
    def named(self, record: User) -> SafeString:
        return title_and_slug(record.name or record.email, record.email if record.name else "")

    @display(description="Platform role")
    def platform_roles(self, record: Any) -> SafeString:
        return badges([Role(name).label for name in record.role_names if name in Role.values], "info")

    @display(description="Memberships")
    def membership_count(self, record: Any) -> str:
        return number(record.member_of)

    @display(description="State")
    def state(self, record: User) -> SafeString:
        return badge("Active", "good") if record.is_active else badge("Deactivated", "bad")

    @display(description="Last sign-in")
    def last_seen(self, record: User) -> SafeString:
        return moment(record.last_login)

    def badges(self, record: User) -> list[Any]:
        shown = [] if record.is_active else [self.state(record)]
        return [*shown, *([badge("Staff", "info")] if record.is_staff else [])]

    def facts(self, record: User) -> list[Fact]:
        return [
            Fact("E-mail address", record.email),
            Fact("Name", record.name or NOTHING),
            Fact("Id", code(record.pk)),
            Fact("External id", code(record.external_id)),
            Fact("Platform role", self.platform_roles(record)),
            Fact("Updated by", record_link(record.created_by_product), "In addition to the identity service."),
            Fact("Last sign-in", moment(record.last_login)),
            Fact("Created", moment(record.created_at)),
        ]

    def panels(self, request: HttpRequest, record: User) -> list[Panel]:
        memberships = Membership.objects.filter(user=record).select_related("organization")
        may_view = may(request, VIEW_AS.operation) and not record.is_staff
        return [
            panel_of(
                "Memberships",
                ("Organization", "Role", "Source", "Role since", *(["Actions"] if may_view else [])),
                memberships.order_by("organization_id"),
                lambda row: (
                    record_link(row.organization),
                    badge(row.get_role_display()),
                    row.get_origin_display(),
                    moment(row.role_changed_at),
                    *([member_dialog(VIEW_AS, row.pk)] if may_view else []),
                ),
                empty="Not a member of any organization.",
                link=list_url(Membership, user=record.pk),
                icon="group",
            ),
            *_denials(request, record),
            links_panel(record),
            *changes_of_target(request, "user", record.pk),
        ]


class MembershipAdmin(StaffAdmin[Membership]):
    """Memberships. This system is the authority; products report to it."""

    operation = "members.read"
    icon = "group"
    heading = "Memberships"
    about = "Who belongs to which organization, and with which role. Products use these records."
    # The unique index on both serves this order; by name it would read the whole table.
    ordering = ("organization_id", "user_id")
    list_select_related = ("organization", "user", "origin_product")
    listed = Q(organization__is_synthetic=False)
    list_display = ("person", "tenant", "role_badge", "told_by", "since")
    list_filter = (
        organization_filter("organization_id"),
        person_filter("user"),
        choice_filter("role", "role", lambda: MembershipRole.choices),
        choice_filter("origin", "source", lambda: MembershipOrigin.choices),
    )
    search_ids = ("pk", "user_id", "organization_id")
    search_prefixes = ("user__email", "organization__slug")
    search_help_text = "Id, e-mail address or slug of the organization"
    verbs = (VIEW_AS, *MEMBER_VERBS)

    def url_after(self, verb: Verb, record: Membership) -> str:
        # A membership that was removed has no page any more.
        return page_url_of(Organization, record.organization_id) if verb is REMOVE else self.url_of(record)

    @display(description="Person")
    def person(self, record: Membership) -> SafeString:
        return title_and_slug(record.user.name or record.user.email, record.user.email if record.user.name else "")

    @display(description="Organization")
    def tenant(self, record: Membership) -> SafeString:
        return record_link(record.organization)

    @display(description="Role")
    def role_badge(self, record: Membership) -> SafeString:
        return badge(record.get_role_display(), "info" if record.role == MembershipRole.OWNER else "neutral")

    @display(description="Source")
    def told_by(self, record: Membership) -> str:
        product = record.origin_product
        return f"{record.get_origin_display()} {product.name}" if product else record.get_origin_display()

    @display(description="Role since")
    def since(self, record: Membership) -> SafeString:
        return moment(record.role_changed_at)

    def title_of(self, record: Membership) -> str:
        return f"{record.user.name or record.user.email} in {record.organization.name}"

    def badges(self, record: Membership) -> list[Any]:
        return [self.role_badge(record)]

    def facts(self, record: Membership) -> list[Fact]:
        return [
            Fact("Person", record_link(record.user)),
            Fact("Organization", record_link(record.organization)),
            Fact("Role", record.get_role_display()),
            Fact("Source", self.told_by(record), "Where this membership was reported first."),
            Fact("Role since", moment(record.role_changed_at), "Older reports are ignored."),
            Fact("Created", moment(record.created_at)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: Membership) -> list[Panel]:
        return changes_of_target(request, "membership", record.pk)


def _denials(request: HttpRequest, record: User) -> list[Panel]:
    if not may(request, "decisions.read"):
        return []
    asked = DecisionReceipt.objects.alias(asked_by=ASKED_BY).filter(asked_by=str(record.pk))
    return [denials_panel(asked, user=record.pk)]


def links_panel(record: User) -> Panel:
    """The sign-in links sent to the person, with their state."""
    now = clock.now()

    def state(link: SignInLink) -> str:
        return _STATES[
            time_state(used_at=link.used_at, replaced_at=link.replaced_at, expires_at=link.expires_at, now=now)
        ]

    return panel_of(
        "Sign-in links",
        ("Link", "State", "Sent", "Used"),
        SignInLink.objects.filter(user=record).order_by("-created_at"),
        lambda link: (
            link.get_kind_display(),
            badge(state(link)),
            moment(link.created_at),
            moment(link.used_at) if link.used_at else NOTHING,
        ),
        empty="No links sent in the last 30 days.",
        icon="link",
    )
