"""Access: who was refused and why, and where products and we disagree (spec 07, Daily report)."""

from __future__ import annotations

from datetime import date

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from apps.core.ids import OrganizationId
from apps.credits.models import ShadowDisagreement
from apps.reporting.rules.document import Group, Line, ReportScope, Section, Window
from apps.reporting.sections.links import of_window, page_link, staff_link
from apps.reporting.sections.registry import section
from apps.reporting.sections.scoping import within
from apps.subscriptions.enums import ReceiptKind, Verdict
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import MembershipDrift, Organization, Product
from apps.tenants.selectors.members import people_for_tenant

_SHOWN = 20


@section("access", order=50)
def read_access(scope: ReportScope, day: date, window: Window) -> Section:
    """Refusals of the window, and what differs still. Shadow mode is between products and us: the platform's alone."""
    denials = DecisionReceipt.objects.filter(
        decision=Verdict.DENY, created_at__gte=window.start, created_at__lt=window.end
    )
    if scope.organization_id is None:
        real = Organization.objects.filter(is_demo=False, is_synthetic=False)
        denials = denials.filter(organization_id__in=real.values("pk"))
    else:
        denials = denials.filter(organization_id=scope.organization_id)
    link = _denials(scope, window)
    groups = [_by_code(scope, denials, window), _affected(scope, denials, link), _drift(scope)]
    if scope.is_platform:
        groups.append(_disagreements(window))
    return Section("access", "Access", tuple(groups))


def _by_code(scope: ReportScope, denials: QuerySet[DecisionReceipt], window: Window) -> Group:
    counts = denials.values_list("kind", "code").annotate(count=Count("pk")).order_by("-count", "kind", "code")
    lines = tuple(
        Line(
            f"{kind}/{code}",
            code,
            count,
            link=_denials(scope, window, kind=kind, code=code),
            note=ReceiptKind(kind).label,
        )
        for kind, code, count in counts[:_SHOWN]
    )
    return Group("denials", "Denials by code", lines, _denials(scope, window), empty="Nobody was refused.")


def _affected(scope: ReportScope, denials: QuerySet[DecisionReceipt], link: str) -> Group:
    """Products and people by how often they were refused; a tenant is told of its own people alone."""
    counts = list(
        denials.values_list("actor_label").annotate(count=Count("pk")).order_by("-count", "actor_label")[:_SHOWN]
    )
    labels = [label for label, _ in counts]
    people = {} if scope.organization_id is None else people_for_tenant(OrganizationId(scope.organization_id), labels)
    products = dict(Product.objects.filter(slug__in=labels).values_list("slug", "name"))
    merged: dict[str, int] = {}
    for label, count in counts:
        name = products.get(label) or people.get(label) or _untold(scope, label)
        merged[name] = merged.get(name, 0) + count
    lines = tuple(Line(name, name, count, link=link) for name, count in merged.items())
    return Group("affected", "Products and users most affected", lines, link, empty="Nobody was refused.")


def _untold(scope: ReportScope, label: str) -> str:
    return label if scope.is_platform or "@" not in label else "someone else"


def _drift(scope: ReportScope) -> Group:
    open_drift = MembershipDrift.objects.filter(within(scope, "organization"), resolved_at__isnull=True)
    counts = open_drift.order_by("drift_class").values_list("drift_class").annotate(count=Count("pk"))
    labels = dict(MembershipDrift._meta.get_field("drift_class").flatchoices)
    link = staff_link("tenants_membershipdrift") if scope.is_platform else page_link(scope, "billing-members")
    lines = tuple(
        Line(drift_class, str(labels.get(drift_class, drift_class)), count, link=link, is_alarm=scope.is_platform)
        for drift_class, count in counts
    )
    title = "Memberships that products report otherwise"
    return Group("drift", title, lines, link, empty="Products and we agree on every membership.")


def _disagreements(window: Window) -> Group:
    # A row may name no organization, or one that we don't know: only what is known to be no customer is left out.
    unreal = Organization.objects.filter(Q(is_demo=True) | Q(is_synthetic=True), pk=OuterRef("organization_id"))
    seen = ShadowDisagreement.objects.filter(
        ~Exists(unreal), product__in=Product.objects.all(), seen_at__gte=window.start, seen_at__lt=window.end
    )
    counts = seen.order_by("product__name", "difference").values_list("product__name", "difference")
    labels = dict(ShadowDisagreement._meta.get_field("difference").flatchoices)
    days = of_window("seen_at", window)
    link = staff_link("credits_shadowdisagreement", **days)
    lines = tuple(
        Line(
            f"{name}/{difference}",
            f"{name}: {labels.get(difference, difference)}",
            count,
            link=staff_link("credits_shadowdisagreement", difference=difference, **days),
            is_alarm=True,
        )
        for name, difference, count in counts.annotate(count=Count("pk"))
    )
    return Group("shadow", "Shadow disagreements", lines, link, empty="No product decided otherwise than we.")


def _denials(scope: ReportScope, window: Window, **query: str) -> str:
    """The list of them for staff; a tenant sees on Settings what works now, and why."""
    if not scope.is_platform:
        return page_link(scope, "billing-settings")
    days = of_window("created_at", window)
    return staff_link("subscriptions_decisionreceipt", decision=Verdict.DENY.value, **query, **days)
