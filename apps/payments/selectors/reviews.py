"""The questions that providers' news ask of staff."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.payments.models import Review
from apps.tenants.models import Workspace


def reviews_of(workspace: Workspace) -> QuerySet[Review]:
    """The open questions about the workspace, or about its whole organization; the oldest first."""
    asked = Q(workspace=workspace.pk) | Q(workspace__isnull=True, organization=workspace.organization_id)
    return Review.objects.filter(asked).order_by("opened_at", "pk")


def has_review(**which: str) -> Q:
    """Workspaces about which, or about whose organization, a question is open; `which` narrows the questions."""
    own = Review.objects.filter(workspace=OuterRef("pk"), **which)
    shared = Review.objects.filter(workspace__isnull=True, organization=OuterRef("organization_id"), **which)
    return Q(Exists(own)) | Q(Exists(shared))
