"""A person at the dialogs of the workspace page: looks at the form, asks for a preview, applies it."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta

from django.test import Client
from django.urls import reverse

from apps.backoffice.workspace.verbs import VERBS
from apps.core import clock
from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry
from apps.subscriptions.models import OrganizationPaymentConfig, Plan, WorkspaceNote, WorkspaceSubscription
from tests.subscriptions.cast import version_of

WHY = "ticket 4711"
SCRIPT = {"HX-Request": "true"}
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


def url_of(workspace_id: WorkspaceId, verb: str = "change") -> str:
    """The address of the page, or of one of its dialogs."""
    return reverse(f"admin:tenants_workspace_{verb}", args=(workspace_id,))


def typed(moment: datetime) -> str:
    """A moment as the browser's picker sends it."""
    return moment.strftime("%Y-%m-%dT%H:%M")


def fields_of(verb: str, workspace_id: WorkspaceId, plan: Plan) -> dict[str, str]:
    """What a person types who means it: possible values for every field of the verb's form."""
    now = clock.now()
    later = typed(now + timedelta(days=40))
    values = {
        "plan": str(plan.pk),
        "trial_ends_at": later,
        "period_start": typed(now),
        "period_end": later,
        "value": "yes",
        "provider": "stripe",
        "provider_subscription_id": f"sub_{workspace_id.hex[:8]}",
        "customer_id": f"cus_{workspace_id.hex[:8]}",
        "started_at": typed(now),
        "until": later,
        "status": "subscribed" if verb == "set_subscription_status" else "okay",
        "category": "internal",
        "days": "21",
        "state": "trial",
        "kind": "change_plan",
        "due_at": later,
    }
    wanted = {name: value for name, value in values.items() if name in VERBS[verb].form_class.base_fields}
    return {**wanted, "reason": WHY, "version": str(version_of(workspace_id))}


def post(client: Client, workspace_id: WorkspaceId, verb: str, fields: dict[str, str]) -> tuple[int, str, str]:
    """One step of the dialog: the status, where it leads, the text of the dialog."""
    answer = client.post(url_of(workspace_id, verb), fields, headers=SCRIPT)
    return answer.status_code, answer.headers.get("HX-Redirect", ""), html.unescape(answer.content.decode())


def token_of(client: Client, workspace_id: WorkspaceId, verb: str, fields: dict[str, str]) -> str:
    """Ask for a preview; its token, or nothing where the preview was refused."""
    answer = client.post(url_of(workspace_id, verb), {**fields, "step": "preview"}, headers=SCRIPT)
    found = _TOKEN.search(answer.content.decode())
    return html.unescape(found.group(1)) if found else ""


def do(client: Client, workspace_id: WorkspaceId, verb: str, fields: dict[str, str]) -> bool:
    """Preview and apply; whether it led back to the page."""
    token = token_of(client, workspace_id, verb, fields)
    _, leads_to, _ = post(client, workspace_id, verb, {**fields, "step": "apply", "token": token})
    return leads_to == url_of(workspace_id)


def everything() -> list[object]:
    """Every value that a verb could change, and how long the audit log is."""
    return [
        list(WorkspaceSubscription.objects.order_by("pk").values()),
        list(OrganizationPaymentConfig.objects.order_by("pk").values()),
        WorkspaceNote.objects.count(),
        AuditEntry.objects.count(),
    ]
