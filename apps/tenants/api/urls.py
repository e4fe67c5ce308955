"""The internal API of tenants, below /api/v1/internal/."""

from __future__ import annotations

from django.urls import path

from apps.tenants.api.billing_mode import BillingModeView
from apps.tenants.api.jobs import JobRunDetailView, JobRunView
from apps.tenants.api.members import MembersUpsertView, MembersView, MemberView, RelationsUpsertView
from apps.tenants.api.portal import PortalSessionsView
from apps.tenants.api.provisioning import OrganizationsUpsertView, UsersUpsertView, WorkspacesUpsertView
from apps.tenants.api.snapshots import SnapshotsView, SnapshotView

urlpatterns = [
    path("users:upsert", UsersUpsertView.as_view(), name="users-upsert"),
    path("organizations:upsert", OrganizationsUpsertView.as_view(), name="organizations-upsert"),
    path("workspaces:upsert", WorkspacesUpsertView.as_view(), name="workspaces-upsert"),
    path("organizations/<uuid:organization_id>/members:upsert", MembersUpsertView.as_view(), name="members-upsert"),
    path("organizations/<uuid:organization_id>/members", MembersView.as_view(), name="members"),
    path("organizations/<uuid:organization_id>/members/<uuid:user_id>", MemberView.as_view(), name="member"),
    path(
        "organizations/<uuid:organization_id>/products:upsert",
        RelationsUpsertView.as_view(),
        name="organization-products-upsert",
    ),
    path("portal-sessions", PortalSessionsView.as_view(), name="portal-sessions"),
    path("billing-mode", BillingModeView.as_view(), name="mode-of-billing"),
    path("membership-snapshots", SnapshotsView.as_view(), name="membership-snapshots"),
    path("membership-snapshots/<uuid:snapshot_id>", SnapshotView.as_view(), name="membership-snapshot"),
    path("jobs/<slug:name>:run", JobRunView.as_view(), name="job-run"),
    path("job-runs/<uuid:job_run_id>", JobRunDetailView.as_view(), name="job-run-detail"),
]
