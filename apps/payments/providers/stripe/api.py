"""Our own Stripe account: customers, checkout, the portal, objects and events as they are (spec 04; spec 12).

Every write carries our own key, which the caller has stored before. Answers are plain dictionaries in the shapes of the
pinned API version. No call is repeated in here: what became of a write without an answer is asked, by the same key and
by the metadata that we set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import stripe
from django.conf import settings

from apps.core.audit.secrecy import redact_text
from apps.payments.contracts import ObjectKind
from apps.payments.providers.contract import LONGEST_CALL_SECONDS, EventPage, ProviderCallError
from apps.payments.providers.stripe.events import PLAN_KEY

API_VERSION = "2026-10-28.endive"
_PAGE = 100
# An event names discounts by their ids alone; our own question is answered with their coupons.
_DISCOUNTS = ["discounts.source.coupon", "items.data.discounts.source.coupon"]
_NOT_FOUND, _CONFLICT, _SERVER_ERROR = 404, 409, 500
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class CheckoutParams:
    """A Checkout session to be started. `plan_slug` empty: only a way to pay is asked for (`setup`)."""

    customer_id: str
    organization_id: UUID
    workspace_id: UUID
    success_url: str
    cancel_url: str
    attempt: UUID
    plan_slug: str = ""


class StripeApi:
    """Stripe with one secret key. Each method raises `ProviderCallError` and nothing else."""

    def __init__(self, secret_key: str, base: str = "") -> None:
        self._client = stripe.StripeClient(
            secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": base.rstrip("/")} if base else None,
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=LONGEST_CALL_SECONDS),
        )

    def create_customer(self, *, key: str, organization_id: UUID, name: str, email: str) -> str:
        """Create the customer, marked with the organization's id; its id."""
        params: Any = {"name": name, "email": email, "metadata": {"organization_id": str(organization_id)}}
        made = _call(lambda: self._client.v1.customers.create(params, {"idempotency_key": key}))
        return _id(made)

    def update_customer(self, *, key: str, customer_id: str, email: str) -> None:
        """Set the customer's address. One that was deleted there refuses for good."""
        _call(lambda: self._client.v1.customers.update(customer_id, {"email": email}, {"idempotency_key": key}))

    def find_customer(self, organization_id: UUID) -> str | None:
        """The oldest customer that is marked with the organization's id; None when there is none.

        Stripe's search lags by up to a minute; within that time the key of the write itself guards against a second.
        """
        params: Any = {"query": f"metadata['organization_id']:'{organization_id}'", "limit": _PAGE}
        found = _plain(_call(lambda: self._client.v1.customers.search(params)))["data"]
        return min(found, key=lambda one: one["created"])["id"] if found else None

    def start_checkout(self, *, key: str, params: CheckoutParams) -> str:
        """Start a Checkout session; answers the address of Stripe's page. A plan's price has its slug as lookup key."""
        session: Any = _session_params(params, self._price_of(params.plan_slug) if params.plan_slug else "")
        return _address(_call(lambda: self._client.v1.checkout.sessions.create(session, {"idempotency_key": key})))

    def expire_checkouts(self, *, workspace_id: UUID, customer_id: str, but: UUID) -> int:
        """Expire the customer's open sessions for this workspace, other than that of the attempt `but`; how many.

        One that was completed in between can't be expired: Stripe refuses, and its subscription is on its way to us.
        """
        params: Any = {"customer": customer_id, "status": "open", "limit": _PAGE}
        found = _plain(_call(lambda: self._client.v1.checkout.sessions.list(params)))["data"]
        marks = [(session["id"], session.get("metadata") or {}) for session in found]
        earlier = [
            name
            for name, mark in marks
            if mark.get("workspace_id") == str(workspace_id) and mark.get("attempt") != str(but)
        ]
        for name in earlier:
            _call(lambda: self._client.v1.checkout.sessions.expire(name))  # noqa: B023 - called at once
        return len(earlier)

    def open_portal(self, *, key: str, customer_id: str, return_url: str) -> str:
        """Open Stripe's customer portal; answers the address of its page."""
        params: Any = {"customer": customer_id, "return_url": return_url}
        return _address(_call(lambda: self._client.v1.billing_portal.sessions.create(params, {"idempotency_key": key})))

    def fetch_object(self, kind: ObjectKind, external_id: str) -> dict[str, Any] | None:
        """The object as Stripe has it; None when it knows none, or not by such a name."""
        retrieve = self._retrievers().get(kind)
        if retrieve is None:
            return None
        try:
            return _plain(_call(lambda: retrieve(external_id)))
        except _UnknownObjectError:
            return None

    def list_events(self, since: datetime, *, until: datetime, after: str = "") -> EventPage:
        """A page of the events that Stripe still knows, newest first; `starting_after` goes back in time there."""
        created = {"gte": int(since.timestamp()), "lte": int(until.timestamp()) + 1}
        params: Any = {"created": created, "limit": _PAGE, **({"starting_after": after} if after else {})}
        page = _plain(_call(lambda: self._client.v1.events.list(params)))
        return EventPage(page["data"], bool(page.get("has_more")))

    def _retrievers(self) -> dict[ObjectKind, Callable[[str], Any]]:
        api = self._client.v1
        return {
            ObjectKind.CUSTOMER: api.customers.retrieve,
            ObjectKind.SUBSCRIPTION: lambda name: api.subscriptions.retrieve(name, {"expand": _DISCOUNTS}),
            ObjectKind.INVOICE: api.invoices.retrieve,
            ObjectKind.PAYMENT_METHOD: api.payment_methods.retrieve,
            ObjectKind.DISPUTE: api.disputes.retrieve,
            # A refund is mirrored by its charge, which tells how much of it went back.
            ObjectKind.REFUND: api.charges.retrieve,
        }

    def _price_of(self, plan_slug: str) -> str:
        params: Any = {"lookup_keys": [plan_slug], "active": True, "limit": 1}
        found = _plain(_call(lambda: self._client.v1.prices.list(params)))["data"]
        if not found:
            raise ProviderCallError(f"Stripe has no price with the lookup key {plan_slug!r}.", is_permanent=True)
        return str(found[0]["id"])


def stripe_api() -> StripeApi | None:
    """Stripe with the key of the settings; None while there is none."""
    key = settings.STRIPE_SECRET_KEY
    return _client_of(key, settings.STRIPE_API_BASE) if key else None


@lru_cache(maxsize=4)
def _client_of(key: str, base: str) -> StripeApi:
    return StripeApi(key, base)


class _UnknownObjectError(ProviderCallError):
    """Stripe answered 404."""


def _session_params(params: CheckoutParams, price_id: str) -> Any:
    """The parameters of the session; its metadata lead back to the organization and the workspace (spec 04)."""
    owner = {"organization_id": str(params.organization_id), "workspace_id": str(params.workspace_id)}
    shared = {
        "customer": params.customer_id,
        "client_reference_id": str(params.organization_id),
        "success_url": params.success_url,
        "cancel_url": params.cancel_url,
        "metadata": {**owner, "attempt": str(params.attempt)},
    }
    if not price_id:
        return {**shared, "mode": "setup", "payment_method_types": ["card"]}
    return {
        **shared,
        "mode": "subscription",
        "line_items": [{"price": price_id, "quantity": 1}],
        "subscription_data": {"metadata": {**owner, PLAN_KEY: params.plan_slug}},
    }


def _call(call: Callable[[], AnswerT]) -> AnswerT:
    try:
        return call()
    except stripe.StripeError as error:
        raise _error_of(error) from None


def _error_of(error: stripe.StripeError) -> ProviderCallError:
    """Our error; the SDK's own text may hold the request, and is shown only where Stripe wrote it for us."""
    status = error.http_status or 0
    if isinstance(error, stripe.APIConnectionError) or not status:
        return ProviderCallError("Stripe did not answer.", is_unknown=True)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return ProviderCallError(f"Stripe refuses our key ({status}). Correct STRIPE_SECRET_KEY.")
    if status >= _SERVER_ERROR or status == _CONFLICT:
        return ProviderCallError(f"Stripe answered {status}.", is_unknown=True)
    if isinstance(error, stripe.RateLimitError):
        return ProviderCallError("Stripe asks us to be slower.")
    said = redact_text(error.user_message or error.code or "no reason")[:500]
    kind = _UnknownObjectError if status == _NOT_FOUND else ProviderCallError
    return kind(f"Stripe answered {status}: {said}", is_permanent=True)


def _plain(answer: Any) -> dict[str, Any]:
    plain: dict[str, Any] = answer.to_dict()
    return plain


def _id(answer: Any) -> str:
    return str(_plain(answer)["id"])


def _address(answer: Any) -> str:
    """The address to send a browser to; never one that is not https."""
    address = str(_plain(answer).get("url") or "")
    if not address.startswith("https://"):
        raise ProviderCallError("Stripe answered without an address to go on at.", is_permanent=True)
    return address
