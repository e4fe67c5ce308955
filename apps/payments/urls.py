"""The webhooks. Each provider has one address."""

from __future__ import annotations

from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from apps.payments.webhooks import WebhookView
from apps.subscriptions.enums import Provider

urlpatterns: list[URLPattern] = [
    path(
        f"webhooks/{provider.value}",
        csrf_exempt(WebhookView.as_view(provider=provider)),
        name=f"webhook-{provider.value}",
    )
    for provider in Provider
]
