"""Service tokens. Only the prefix of a token is known; the token itself is not stored."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import display
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.cells import badge, badges, code, moment, record_link, title_and_slug
from apps.backoffice.filters import choice_filter, flag_filter, text_filter
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.records.audit import changes_of_target
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb
from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import ServiceTokenId
from apps.tenants.enums import TokenKind
from apps.tenants.models import ServiceToken
from apps.tenants.services import service_token_revoke


def token_state(record: ServiceToken) -> SafeString:
    """Whether the token is accepted now."""
    if record.revoked_at is not None:
        return badge("Revoked", "bad")
    if record.expires_at is not None and record.expires_at <= clock.now():
        return badge("Expired", "warn")
    return badge("Active", "good")


def _revoke(context: ExecutionContext, token: ServiceToken, form: ReasonForm) -> str:
    service_token_revoke(context, token_id=ServiceTokenId(token.pk), reason=form.cleaned_data["reason"])
    return f"The token {token.name} is revoked."


TOKEN_VERBS = (
    Verb(
        name="revoke",
        label="Revoke token",
        description="Refuses every call with this token, everywhere within 5 seconds. This can't be undone.",
        submit="Revoke for good",
        operation="tokens.manage",
        icon="block",
        refusal=lambda token: "" if token.revoked_at is None else "This token is already revoked.",
        run=_revoke,
        is_dangerous=True,
    ),
)


class ServiceTokenAdmin(StaffAdmin[ServiceToken]):
    """Bearer tokens of products and of external schedulers."""

    operation = "tokens.read"
    icon = "key"
    heading = "Tokens"
    about = "Access tokens. Create one on a product's page or on the console. The token itself is not stored."
    # The readable prefix is unique, so that its index serves the order.
    ordering = ("prefix",)
    list_select_related = ("product",)
    list_display = ("named", "owner", "state", "last_used", "expires", "created")
    list_filter = (
        text_filter("product", "product", field="product__slug", hint="Slug"),
        choice_filter("kind", "kind", lambda: TokenKind.choices),
        flag_filter("revoked", "revoked", Q(revoked_at__isnull=False)),
    )
    search_prefixes = ("prefix",)
    search_names = ("name",)
    search_help_text = "Id, prefix or beginning of the name"
    verbs = TOKEN_VERBS

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceToken]:
        return super().get_queryset(request).defer("token_hash")

    @display(description="Token")
    def named(self, record: ServiceToken) -> SafeString:
        return title_and_slug(record.name, record.prefix)

    @display(description="Owner")
    def owner(self, record: ServiceToken) -> SafeString | str:
        return record_link(record.product) if record.product else record.get_kind_display()

    @display(description="State")
    def state(self, record: ServiceToken) -> SafeString:
        return token_state(record)

    @display(description="Last used")
    def last_used(self, record: ServiceToken) -> SafeString:
        return moment(record.last_used_at)

    @display(description="Expires")
    def expires(self, record: ServiceToken) -> SafeString:
        return moment(record.expires_at)

    @display(description="Created")
    def created(self, record: ServiceToken) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: ServiceToken) -> list[Any]:
        return [token_state(record)]

    def facts(self, record: ServiceToken) -> list[Fact]:
        return [
            Fact("Prefix", code(record.prefix), "How the token begins."),
            Fact("Kind", record.get_kind_display()),
            Fact("Product", record_link(record.product)),
            Fact("Scopes", badges(sorted(record.scopes))),
            Fact("Last used", moment(record.last_used_at), "Updated at most once a minute."),
            Fact("Expires", moment(record.expires_at)),
            Fact("Revoked", moment(record.revoked_at)),
            Fact("Created", moment(record.created_at)),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: ServiceToken) -> list[Panel]:
        return changes_of_target(request, "service_token", record.pk)
