"""Membership drift: where a product and we differ about a member, and what staff do about each (spec 02)."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import display
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, badge, code, link, list_url, moment, page_url_of, record_link, title_and_slug
from apps.backoffice.filters import (
    choice_filter,
    flag_filter,
    of_customers,
    organization_filter,
    person_filter,
    text_filter,
)
from apps.backoffice.pages.lookups import organization_name
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.core.ids import MembershipDriftId
from apps.tenants.enums import DriftClass, DriftResolution
from apps.tenants.models import MembershipDrift, Organization, User
from apps.tenants.services import drift_import, drift_settle
from apps.tenants.services.drift_verbs import import_refusal

RESOLVE = "membership_drift.resolve"
MEANINGS = {
    DriftClass.MISSING_HERE: "The product reports a member whom we don't have.",
    DriftClass.MISSING_THERE: "We have a member whom the product does not report.",
    DriftClass.ROLE_DIFFERS: "Both sides have the member, with different roles.",
    DriftClass.OWNER_REPORTED: "The product says something else about an owner. Only the identity service and staff "
    "change owners.",
    DriftClass.REMOVED_HERE: "The member was removed here, and the product's report is not later than that.",
    DriftClass.NOT_RELATED: "The product reports a member of an organization that it has no access to.",
    DriftClass.UNKNOWN_USER: "The product reports a user whom it never sent us.",
    DriftClass.UNKNOWN_ORGANIZATION: "The product reports an organization that does not exist here.",
    DriftClass.DUPLICATE_IDENTITY: "The product has the e-mail address of another user of ours under this user id.",
}
_TONES: dict[str, Any] = {DriftResolution.IGNORED: "neutral", DriftResolution.TOLD: "info", "": "warn"}


def _import(context: ExecutionContext, drift: MembershipDrift, form: ReasonForm) -> str:
    return drift_import(context, drift_id=MembershipDriftId(drift.pk), reason=form.cleaned_data["reason"])


def _settle(resolution: DriftResolution) -> Any:
    def run(context: ExecutionContext, drift: MembershipDrift, form: ReasonForm) -> object:
        return drift_settle(
            context,
            drift_id=MembershipDriftId(drift.pk),
            resolution=resolution,
            reason=form.cleaned_data["reason"],
        )

    return run


def _organization(drift: MembershipDrift, form: ReasonForm) -> Organization | None:
    return Organization.objects.filter(pk=drift.organization_id).first()


DRIFT_VERBS = (
    Verb(
        name="import_report",
        label="Import",
        description="Makes our side as the product says: adds the member, changes their role, or removes them.",
        operation=RESOLVE,
        icon="move_down",
        refusal=import_refusal,
        organization_of=_organization,
        run=_import,
        is_dangerous=True,
    ),
    Verb(
        name="ignore",
        label="Ignore",
        description="Both sides may stay as they are. The item no longer counts as drift until it changes.",
        operation=RESOLVE,
        icon="visibility_off",
        organization_of=_organization,
        run=_settle(DriftResolution.IGNORED),
        done="Ignored for as long as both sides say the same.",
    ),
    Verb(
        name="tell",
        label="Tell the product",
        description="Notes that you told the product's team to correct its side. The item goes when its next report "
        "agrees with us.",
        submit="Note it",
        operation=RESOLVE,
        icon="campaign",
        organization_of=_organization,
        run=_settle(DriftResolution.TOLD),
        done="Noted. The item goes when the product's next report agrees with us.",
    ),
)


def with_names(rows: QuerySet[MembershipDrift]) -> QuerySet[Any]:
    """The rows with whom they are about, as far as they are known here."""
    # By subqueries: a user or organization that does not exist must not hide the row.
    users = User.objects.filter(pk=OuterRef("user_id"))
    return rows.annotate(
        organization_name=organization_name(),
        user_email=Subquery(users.values("email")[:1]),
        user_exists=Exists(users),
    )


def person_cell(row: Any) -> SafeString:
    return title_and_slug(row.user_email or row.reported_email or "Unknown", str(row.user_id))


def organization_cell(row: Any) -> SafeString:
    if row.organization_name is None:
        return title_and_slug("Unknown", str(row.organization_id))
    return link(page_url_of(Organization, row.organization_id), row.organization_name)


class MembershipDriftAdmin(StaffAdmin[MembershipDrift]):
    """One member about whom a product and we differ."""

    operation = "reconciliation.read"
    icon = "rule"
    heading = "Membership drift"
    about = "Members about whom a product and we differ. Memberships here stay as they are until you decide."
    ordering = ("-last_seen_at",)
    list_display = ("kind", "person", "tenant", "from_product", "sides", "decided", "last_seen")
    listed = of_customers("organization_id")
    list_filter = (
        text_filter("product", "product", field="product__slug", hint="Slug"),
        choice_filter("drift_class", "class", lambda: DriftClass.choices),
        flag_filter("open", "open", Q(resolution="")),
        organization_filter("organization_id"),
        person_filter("user"),
    )
    search_ids = ("pk", "user_id", "organization_id")
    search_help_text = "Id of the item, the user or the organization"
    verbs = DRIFT_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[MembershipDrift]:
        return with_names(super().get_queryset(request).select_related("product", "run"))

    @display(description="Class")
    def kind(self, record: MembershipDrift) -> SafeString:
        return badge(record.get_drift_class_display(), "info")

    @display(description="Person")
    def person(self, record: Any) -> SafeString:
        return person_cell(record)

    @display(description="Organization")
    def tenant(self, record: Any) -> SafeString:
        return organization_cell(record)

    @display(description="Product")
    def from_product(self, record: MembershipDrift) -> SafeString:
        return record_link(record.product)

    @display(description="There and here")
    def sides(self, record: MembershipDrift) -> str:
        return f"{record.get_reported_display()} there, {(record.get_our_role_display() or 'no member').lower()} here"

    @display(description="Decided")
    def decided(self, record: MembershipDrift) -> SafeString:
        return badge(record.get_resolution_display() or "Open", _TONES[record.resolution])

    @display(description="Last seen")
    def last_seen(self, record: MembershipDrift) -> SafeString:
        return moment(record.last_seen_at)

    def title_of(self, record: Any) -> str:
        return f"{record.user_email or record.reported_email or record.user_id}: {record.get_drift_class_display()}"

    def badges(self, record: MembershipDrift) -> list[Any]:
        return [self.kind(record), self.decided(record)]

    def facts(self, record: Any) -> list[Fact]:
        person = link(page_url_of(User, record.user_id), record.user_email) if record.user_exists else NOTHING
        return [
            Fact("What it means", MEANINGS[DriftClass(record.drift_class)], import_refusal(record)),
            Fact("The product says", self._their_side(record), "In its last report."),
            Fact("Here", record.get_our_role_display() or "No member"),
            Fact("Product", record_link(record.product)),
            Fact("Organization", self.tenant(record)),
            Fact("Person", person),
            Fact("User id", code(record.user_id)),
            Fact("E-mail address there", record.reported_email or NOTHING),
            Fact("Decided by", record.resolved_by or NOTHING, record.resolution_reason),
            Fact("Decided", moment(record.resolved_at)),
            Fact("Found by", record_link(record.run) if record.run else "A live report"),
            Fact("First seen", moment(record.first_seen_at)),
            Fact("Last seen", moment(record.last_seen_at)),
            Fact("Id", code(record.pk)),
        ]

    def _their_side(self, record: MembershipDrift) -> SafeString | str:
        if record.reported_at is None:
            return record.get_reported_display()
        return title_and_slug(record.get_reported_display(), f"since {record.reported_at:%Y-%m-%d %H:%M} UTC")

    def panels(self, request: HttpRequest, record: MembershipDrift) -> list[Panel]:
        return changes_of_target(request, "membership_drift", record.pk)


def drift_list_url(slug: str, **filters: str) -> str:
    """The list of a product's membership drift."""
    return list_url(MembershipDrift, product=slug, **filters)
