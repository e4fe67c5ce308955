"""The credits of the internal API, below /api/v1/internal/."""

from __future__ import annotations

from django.urls import path, register_converter

from apps.credits.api.hot import AuthorizeView, ConsumeBatchView, ConsumeView
from apps.credits.api.read_views import BalanceView, EntriesView, GrantsView, HoldsView
from apps.credits.api.record_views import BurnsView, DecisionView, EntryView, HoldView, VoidView
from apps.credits.api.views import CaptureView, ExtendView, GrantView, PolicyView, ReleaseView, ReverseView
from apps.credits.enums import AccountType


class AccountTypeConverter:
    """`organization` or `user`."""

    regex = f"({'|'.join(AccountType.values)})"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(AccountTypeConverter, "account_type")

urlpatterns = [
    path("credit-policies/<slug:product>", PolicyView.as_view(), name="credit-policy"),
    path("credits:authorize", AuthorizeView.as_view(), name="credits-authorize"),
    path("credits:consume", ConsumeView.as_view(), name="credits-consume"),
    path("credits:consume-batch", ConsumeBatchView.as_view(), name="credits-consume-batch"),
    path("credits:grant", GrantView.as_view(), name="credits-grant"),
    path("holds/<uuid:hold_id>:capture", CaptureView.as_view(), name="hold-capture"),
    path("holds/<uuid:hold_id>:release", ReleaseView.as_view(), name="hold-release"),
    path("holds/<uuid:hold_id>:extend", ExtendView.as_view(), name="hold-extend"),
    path("entries/<uuid:entry_id>:reverse", ReverseView.as_view(), name="entry-reverse"),
    path("accounts/<account_type:account_type>/<uuid:account_id>/balance", BalanceView.as_view(), name="balance"),
    path("accounts/<account_type:account_type>/<uuid:account_id>/entries", EntriesView.as_view(), name="entries"),
    path("accounts/<account_type:account_type>/<uuid:account_id>/grants", GrantsView.as_view(), name="grants"),
    path("accounts/<account_type:account_type>/<uuid:account_id>/holds", HoldsView.as_view(), name="holds"),
    path("entries/<uuid:entry_id>", EntryView.as_view(), name="entry"),
    path("holds/<uuid:hold_id>", HoldView.as_view(), name="hold"),
    path("grants/<uuid:grant_id>/burns", BurnsView.as_view(), name="grant-burns"),
    path("grants/<uuid:grant_id>:void", VoidView.as_view(), name="grant-void"),
    path("decisions/<uuid:decision_id>", DecisionView.as_view(), name="decision"),
]
