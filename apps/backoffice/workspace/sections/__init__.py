"""The sections of the workspace page, top to bottom. An app that has something to show there adds one line."""

from __future__ import annotations

from apps.backoffice.workspace.section import SectionSpec
from apps.backoffice.workspace.sections.connectors import connectors_section, syncs_section
from apps.backoffice.workspace.sections.credits import account_buttons, credits_section
from apps.backoffice.workspace.sections.denials import denials_section
from apps.backoffice.workspace.sections.lifecycle import lifecycle_section
from apps.backoffice.workspace.sections.members import members_section
from apps.backoffice.workspace.sections.notes import notes_section
from apps.backoffice.workspace.sections.payments import payments_section
from apps.backoffice.workspace.sections.subscription import subscription_section
from apps.backoffice.workspace.sections.timeline import timeline_section

SECTIONS: tuple[SectionSpec, ...] = (
    SectionSpec("lifecycle", "lifecycle.read", lifecycle_section, has_history=True),
    SectionSpec("subscription", "subscriptions.read", subscription_section, has_history=True),
    SectionSpec("payments", "payment_configs.read", payments_section, has_history=True),
    SectionSpec("credits", "credits.read", credits_section, offer=account_buttons),
    SectionSpec("connectors", "connectors.read", connectors_section),
    SectionSpec("syncs", "connectors.read", syncs_section),
    SectionSpec("denials", "decisions.read", denials_section),
    SectionSpec("members", "members.read", members_section),
    SectionSpec("notes", "notes.read", notes_section, has_history=True),
    SectionSpec("timeline", "audit.read", timeline_section, has_history=True),
)
