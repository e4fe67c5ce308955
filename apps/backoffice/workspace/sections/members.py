"""Who belongs to the workspace's organization."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString

from apps.backoffice.cells import badge, dialog_link, link, list_url, moment, record_link, side_by_side
from apps.backoffice.panels import panel_of
from apps.backoffice.staff import may
from apps.backoffice.workspace.references import why_url
from apps.backoffice.workspace.section import Section
from apps.backoffice.workspace.subject import WorkspaceSubject
from apps.tenants.models import Membership


def members_section(request: HttpRequest, subject: WorkspaceSubject) -> Section:
    """The first few members, each with a way to ask what the person may do, and to see what they see."""
    members = Membership.objects.filter(organization=subject.organization_id).select_related("user").order_by("user_id")
    ask, may_view = why_url(subject.workspace_id), may(request, "member.impersonate")

    def links(row: Membership) -> list[SafeString]:
        why = link(f"{ask}?user={row.user_id}", "Why?")
        url = f"{reverse('admin:tenants_membership_view_as', args=(row.pk,))}?workspace={subject.workspace.slug}"
        return [why, *([dialog_link(url, "View as member")] if may_view and not row.user.is_staff else [])]

    panel = panel_of(
        "Members",
        ("Person", "Role", "Role since", "Access"),
        members,
        lambda row: (
            record_link(row.user),
            badge(row.get_role_display()),
            moment(row.role_changed_at),
            side_by_side(links(row)),
        ),
        empty="This organization has no members.",
        link=list_url(Membership, organization=subject.organization_id),
        icon="group",
    )
    return Section(title="Members", icon="group", panel=panel, is_wide=True)
