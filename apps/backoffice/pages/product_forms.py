"""The form that names an organization, for several verbs of a product."""

from __future__ import annotations

from django import forms
from unfold.widgets import (
    UnfoldAdminTextInputWidget,
)

from apps.backoffice.pages.lookups import find_organization
from apps.backoffice.verbs import ReasonForm
from apps.tenants.models import Organization


class RelateForm(ReasonForm):
    """Which organization."""

    organization = forms.CharField(
        max_length=80,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Id or slug"}),
        help_text="The product can then read and report everything about this organization.",
    )

    def found(self) -> Organization:
        """The organization that was named; raises `UnprocessableError` when it does not exist."""
        return find_organization(self.cleaned_data["organization"])
