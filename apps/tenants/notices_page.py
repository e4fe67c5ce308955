"""Who gets mails about payments and connectors. A part of Settings, under its own address."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from apps.core.emails import email_to_find
from apps.core.errors import FieldError, UnprocessableError
from apps.core.ids import UserId
from apps.tenants.enums import NoticeAudience, NoticeKind
from apps.tenants.models import Membership
from apps.tenants.notice_rules import AUDIENCES
from apps.tenants.pages import BillingPage
from apps.tenants.selectors.notices import notices_of
from apps.tenants.services import notice_choice_change
from apps.tenants.services.notices import CHANGE

_ABOUT = {
    NoticeKind.PAYMENTS: "A payment failed, a grace period ends, something was switched off. Owners always get these.",
    NoticeKind.CONNECTORS: "A connector needs a new authorization, or stopped since the credits are used up.",
}
_OFFERED_MEMBERS = 200


class NoticesPage(BillingPage):
    """A form for each kind of mail, and who gets it now."""

    operations: ClassVar[dict[str, str]] = {"GET": CHANGE, "POST": CHANGE}
    page = "settings"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        return self._show()

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Save one kind; what can't be comes back with a sentence, and nothing was changed."""
        try:
            has_changed = self._save(request.POST)
        except UnprocessableError as error:
            return self._show(error=error)
        messages.success(request, "Saved. It applies to the next mail." if has_changed else "Nothing was changed.")
        return HttpResponseRedirect(reverse("billing-notices", args=[workspace_slug]))

    def _save(self, sent: QueryDict) -> bool:
        kind, audience = sent.get("kind", ""), sent.get("audience", "")
        if kind not in NoticeKind.values or audience not in NoticeAudience.values:
            raise UnprocessableError("Choose one of the list. Nothing was changed.")
        chosen = [user_id for user_id in map(_read_id, sent.getlist("keep")) if user_id is not None]
        wanted = sent.get("email", "").strip()
        return notice_choice_change(
            self.execution_context,
            organization_id=self.organization_id,
            kind=NoticeKind(kind),
            audience=NoticeAudience(audience),
            chosen=[*chosen, *([self._member(wanted)] if wanted else [])],
        )

    def _member(self, email: str) -> UserId:
        found = Membership.objects.filter(organization=self.organization_id, user__email=email_to_find(email)).first()
        if found is None:
            sentence = "No member has this address. Invite them on the page Members first."
            raise UnprocessableError(sentence, errors=[FieldError("email", "impossible_value", sentence)])
        return UserId(found.user_id)

    def _show(self, error: UnprocessableError | None = None) -> HttpResponse:
        sent, members = self.request.POST, Membership.objects.filter(organization=self.organization_id)
        offered = members.filter(user__is_active=True).order_by("user__email").values_list("user__email", flat=True)
        facts = {
            "kinds": [self._kind(kind, sent, error) for kind in NoticeKind],
            "error": error.detail if error is not None and sent.get("kind") not in NoticeKind.values else "",
            "members": list(offered[:_OFFERED_MEMBERS]),
        }
        status = HTTPStatus.OK if error is None else HTTPStatus.UNPROCESSABLE_ENTITY
        return self.render("billing/notices.html", facts, title="Who gets mails", status=status)

    def _kind(self, kind: NoticeKind, sent: QueryDict, error: UnprocessableError | None) -> dict[str, Any]:
        found, is_sent = notices_of(self.organization_id, kind), error is not None and sent.get("kind") == kind.value
        return {
            "name": kind.value,
            "label": kind.label,
            "about": _ABOUT[kind],
            "audiences": AUDIENCES[kind],
            "audience": sent.get("audience", "") if is_sent else found.audience.value,
            "chosen": found.chosen,
            "readers": [reader.email for reader in found.readers],
            "typed": sent.get("email", "") if is_sent else "",
            "error": error.detail if is_sent and error is not None else "",
        }


def _read_id(text: str) -> UserId | None:
    try:
        return UserId(UUID(text))
    except ValueError:
        return None
