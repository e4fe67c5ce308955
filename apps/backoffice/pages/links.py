"""Sign-in links on a person's page: what was sent, and the verbs that send."""

from __future__ import annotations

from django.http import HttpRequest

from apps.backoffice.actions import Dialog
from apps.backoffice.display import NOTHING, badge, moment
from apps.backoffice.panels import Panel, panel_of
from apps.backoffice.staff import acting_context
from apps.core import clock
from apps.core.ids import UserId
from apps.tenants.enums import LinkKind
from apps.tenants.links import LinkState, time_state
from apps.tenants.models import SignInLink, User
from apps.tenants.services import sign_in_link_send

SEND_LINK = "users.send_link"
SIGN_IN_LINK_DIALOG = Dialog(
    "Send sign-in link",
    "Mails a link to the person's address that signs them in. It works once, for 30 minutes.",
    "Send the link",
)
INVITATION_DIALOG = Dialog(
    "Send invitation",
    "Mails a link with which the person chooses a password. It works once, for 7 days, and replaces an older one.",
    "Send the invitation",
)
_STATES = {
    LinkState.OPEN: "Open",
    LinkState.USED: "Used",
    LinkState.LATE: "Expired",
    LinkState.REPLACED: "Replaced",
}


def mail_link(request: HttpRequest, record: User, kind: LinkKind, reason: str) -> str:
    """Send the link, and say so."""
    context = acting_context(request, SEND_LINK)
    link = sign_in_link_send(context, user_id=UserId(record.pk), kind=kind, reason=reason)
    return f"{link.get_kind_display()} is on its way to {link.email}."


def links_panel(record: User) -> Panel:
    """The links that the person was sent, and what became of each."""
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
        empty="No link was sent in the last 30 days.",
        icon="link",
    )
