"""The credits of the internal API, below /api/v1/internal/."""

from __future__ import annotations

from django.urls import path, register_converter

from apps.credits.api.hot_views import AuthorizeView, ConsumeBatchView, ConsumeView
from apps.credits.api.views import (
    BalanceView,
    CaptureView,
    EntriesView,
    GrantView,
    PolicyView,
    ReleaseView,
    ReverseView,
)
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
    path("entries/<uuid:entry_id>:reverse", ReverseView.as_view(), name="entry-reverse"),
    path("accounts/<account_type:account_type>/<uuid:account_id>/balance", BalanceView.as_view(), name="balance"),
    path("accounts/<account_type:account_type>/<uuid:account_id>/entries", EntriesView.as_view(), name="entries"),
]
