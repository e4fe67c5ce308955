"""Organizations, with their workspaces, members and credits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib.admin import display
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import (
    BACK,
    NOTHING,
    badge,
    copyable,
    link,
    list_url,
    moment,
    number,
    record_link,
    side_by_side,
    title_and_slug,
)
from apps.backoffice.customer.closing import CLOSING_VERBS, charging_lines
from apps.backoffice.customer.standing import connectors_panel, credit_facts, payment_facts, workspaces_panel
from apps.backoffice.customer.timeline import timeline_of
from apps.backoffice.filters import choice_filter, flag_filter
from apps.backoffice.list_files import FileColumns
from apps.backoffice.pages.daily_reports import organization_reports_url
from apps.backoffice.pages.impersonations import VIEW_AS
from apps.backoffice.pages.lookups import count_of
from apps.backoffice.pages.member_verbs import INVITE, MEMBER_VERBS, member_dialog
from apps.backoffice.pages.reports import organization_books_url
from apps.backoffice.panels import Cell, Fact, Panel, panel_of
from apps.backoffice.records.decisions import denials_panel
from apps.backoffice.records.invoices import invoices_panel
from apps.backoffice.records.notes import notes_panel
from apps.backoffice.staff import may
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.workspace.section import ShownSection
from apps.backoffice.workspace.sections.credits import account_buttons_of, credits_of
from apps.core import clock
from apps.core.moments import in_zone, zone_of
from apps.payments.models import ProviderInvoice
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.closing_rules import reopens_until
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import Membership, MembershipDrift, Organization, ProductRelation, User, Workspace


class OrganizationAdmin(StaffAdmin[Organization]):
    """The customer and its billing account."""

    operation = "organizations.read"
    icon = "domain"
    heading = "Organizations"
    about = "Customers and their billing accounts. Created by the identity service and by products, not by staff."
    ordering = ("slug",)
    list_display = ("named", "nature", "member_count", "workspace_count", "time_zone", "created")
    sortable_by = ("named",)
    listed = Q(is_synthetic=False)
    file_columns: ClassVar[FileColumns] = {
        "name": lambda row: row.name,
        "slug": lambda row: row.slug,
        "kind": lambda row: row.get_kind_display(),
        "members": lambda row: row.members,
        "workspaces": lambda row: row.spaces,
        "time zone": lambda row: row.time_zone,
        "demo": lambda row: row.is_demo,
        "created (UTC)": lambda row: row.created_at,
        "closed (UTC)": lambda row: row.closed_at,
        "id": lambda row: row.pk,
    }
    list_filter = (
        choice_filter("kind", "kind", lambda: OrganizationKind.choices),
        flag_filter("demo", "demo organization", Q(is_demo=True)),
        flag_filter("closed", "closed", Q(closed_at__isnull=False)),
    )
    verbs = (INVITE, *CLOSING_VERBS)
    search_prefixes = ("slug",)
    search_names = ("name",)
    search_help_text = "Id, slug or beginning of the name"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        return (
            super()
            .get_queryset(request)
            .annotate(members=count_of(Membership, "organization_id"), spaces=count_of(Workspace, "organization_id"))
        )

    @display(description="Organization", ordering="slug")
    def named(self, record: Organization) -> SafeString:
        return title_and_slug(record.name, record.slug)

    @display(description="Kind")
    def nature(self, record: Organization) -> SafeString:
        return SafeString(" ".join(self.badges(record)))

    @display(description="Members")
    def member_count(self, record: Any) -> str:
        return number(record.members)

    @display(description="Workspaces")
    def workspace_count(self, record: Any) -> str:
        return number(record.spaces)

    @display(description="Created")
    def created(self, record: Organization) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: Organization) -> list[Any]:
        shown = [badge(OrganizationKind(record.kind).label)]
        if record.is_demo:
            shown.append(badge("Demo", "info"))
        if record.is_synthetic:
            shown.append(badge("Cutover check", "info"))
        if record.closed_at is not None:
            shown.append(badge("Closed", "bad"))
        return shown

    def facts(self, record: Any) -> list[Fact]:
        now = f"{in_zone(clock.now(), zone_of(record.time_zone)):%-d %b, %H:%M} there now."
        return [
            Fact("Id", copyable(record.pk)),
            Fact("Slug", copyable(record.slug)),
            Fact("Time zone", record.time_zone, f"Its days and months follow this time zone. {now}"),
            Fact("Billing e-mail", record.billing_email or NOTHING, "Where invoices go; without one, to an owner."),
            Fact("Daily reports", link(organization_reports_url(record), "By day"), "As they were made and mailed."),
            Fact("Books", link(organization_books_url(record), "By day"), "Whether its credits add up."),
            Fact("Members", number(record.members)),
            Fact("Created", moment(record.created_at)),
            *(_closing_facts(record) if record.closed_at else []),
        ]

    def extra_context(self, request: HttpRequest, record: Organization) -> dict[str, Any]:
        """How it stands, first; the credits section with its verbs; and the timeline of everything."""
        standing = [*payment_facts(request, record), *credit_facts(request, record.pk)]
        context: dict[str, Any] = {"facts": [*standing, *self.facts(record)], **timeline_of(request, record.pk)}
        if may(request, "credits.read"):
            section = credits_of(request, record)
            verbs = account_buttons_of(request, record, f"organization:{record.pk}")
            context |= {"section": section, "shown": ShownSection("credits", section, tuple(verbs))}
        if may(request, "workspaces.read"):
            context["lead_panel"] = workspaces_panel(request, record)
        return context

    def panels(self, request: HttpRequest, record: Organization) -> list[Panel]:
        invoices = ProviderInvoice.objects.filter(organization=record).order_by("-issued_at", "pk")
        denials = DecisionReceipt.objects.filter(organization_id=record.pk)
        shown: list[tuple[str, Callable[[], Panel]]] = [
            (
                "provider_objects.read",
                lambda: invoices_panel(invoices, list_url(ProviderInvoice, organization=record.pk)),
            ),
            ("connectors.read", lambda: connectors_panel(record)),
            ("members.read", lambda: _members_panel(request, record)),
            ("decisions.read", lambda: denials_panel(denials, organization=record.pk)),
            ("notes.read", lambda: notes_panel(record.pk)),
            ("products.read", lambda: _products_panel(record)),
            ("reconciliation.read", lambda: _drift_panel(record)),
        ]
        return [build() for operation, build in shown if may(request, operation)]


def _closing_facts(record: Organization) -> list[Fact]:
    until = reopens_until(record.closed_at) if record.closed_at else None
    is_over = until is None or clock.now() >= until
    hint = "It can't be reopened any more." if is_over or until is None else f"Can be reopened until {until:%-d %B %Y}."
    charged = charging_lines(record)
    return [
        Fact("Closed", moment(record.closed_at), hint),
        *([Fact("Still charged", badge("At the provider", "warn"), " ".join(charged))] if charged else []),
    ]


def _products_panel(record: Organization) -> Panel:
    relations = ProductRelation.objects.filter(organization=record).select_related("product").order_by("product__slug")
    return panel_of(
        "Products with access",
        ("Product", "Why", "Since"),
        relations,
        lambda row: (record_link(row.product), row.get_source_display(), moment(row.created_at)),
        empty="No product has access. Calls about this organization are refused with 403 product_not_related.",
        icon="deployed_code",
    )


def _members_panel(request: HttpRequest, record: Organization) -> Panel:
    """The members, each with what whoever asks may do to them."""
    verbs = [verb for verb in (VIEW_AS, *MEMBER_VERBS) if may(request, verb.operation)]

    def links(row: Membership) -> tuple[Cell, ...]:
        back = {BACK: f"organization:{record.pk}"}
        shown = [member_dialog(verb, row.pk, **back) for verb in verbs if verb is not VIEW_AS or not row.user.is_staff]
        return (side_by_side(shown),) if verbs else ()

    members = Membership.objects.filter(organization=record).select_related("user").order_by("user_id")
    return panel_of(
        "Members",
        ("Person", "Role", "Source", "Role since", *(["Actions"] if verbs else [])),
        members,
        lambda row: (
            record_link(row.user),
            badge(row.get_role_display()),
            row.get_origin_display(),
            moment(row.role_changed_at),
            *links(row),
        ),
        empty="This organization has no members.",
        link=list_url(Membership, organization=record.pk),
        icon="group",
    )


def _drift_panel(record: Organization) -> Panel:
    """Reports of products that contradict our memberships. They change nothing, so staff should check them."""
    drift = MembershipDrift.objects.filter(organization=record).select_related("product")
    people = User.objects.filter(pk=OuterRef("user_id")).values("email")[:1]
    return panel_of(
        "Membership drift",
        ("Person", "Class", "Product", "Reported as", "First seen", "Last seen"),
        drift.annotate(user_email=Subquery(people)).order_by("-last_seen_at", "pk"),
        lambda row: (
            record_link(row, getattr(row, "user_email", None) or row.reported_email or str(row.user_id)),
            row.get_drift_class_display(),
            record_link(row.product),
            badge(row.get_reported_display()),
            moment(row.first_seen_at),
            moment(row.last_seen_at),
        ),
        empty="None. Every product agrees with us about the members.",
        link=list_url(MembershipDrift, organization=record.pk),
        icon="rule",
    )
