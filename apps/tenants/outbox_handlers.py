"""What the outbox does about signing in: finds out who forgot a password, and mails links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from apps.core.context import ExecutionContext
from apps.core.crypto import SealError, open_sealed
from apps.core.ids import UserId
from apps.core.mails import mail_payload
from apps.core.outbox import Delivery, OutboxError, OutboxHandler, outbox_handler
from apps.core.outbox_handlers import EmailHandler
from apps.tenants.link_rules import LinkState
from apps.tenants.mails import link_mail, zone_of
from apps.tenants.models import SignInLink
from apps.tenants.selectors.links import link_by_id, real_organizations_of
from apps.tenants.services.link_requests import PREPARE_RESET, password_reset_prepare
from apps.tenants.services.sign_in_links import SEND_LINK, link_state, token_binding


@outbox_handler(PREPARE_RESET)
class PrepareResetHandler(OutboxHandler):
    """Looks up who forgot a password, away from the request: its time tells nobody whether the address is known."""

    def unconfigured_reason(self) -> str:
        return ""

    def deliver(self, delivery: Delivery) -> Any:
        return None

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        password_reset_prepare(context, email=str(delivery.payload["email"]))


@outbox_handler(SEND_LINK)
class SendLinkHandler(OutboxHandler):
    """Mails one link. Its secret is opened here alone, and forgotten once the mail has left."""

    def unconfigured_reason(self) -> str:
        return EmailHandler().unconfigured_reason()

    def deliver(self, delivery: Delivery) -> Any:
        link = link_by_id(UUID(delivery.payload["link_id"]))
        # A link that has ended meanwhile would only lead to a page that says so.
        if link is None or link.sealed_token is None or link_state(link) is not LinkState.OPEN:
            return
        try:
            token = open_sealed(bytes(link.sealed_token), token_binding(link.pk))
        except SealError as error:
            raise OutboxError(str(error), permanent=True) from error
        zone = zone_of(real_organizations_of(UserId(link.user_id)))
        payload = mail_payload(link_mail(link, token=token, time_zone=zone), to=[link.email])
        EmailHandler().deliver(replace(delivery, payload=payload))

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:
        SignInLink.objects.filter(pk=UUID(delivery.payload["link_id"])).update(sealed_token=None)
