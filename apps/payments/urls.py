"""The webhooks, each provider at one address, and the billing pages that payments serves."""

from __future__ import annotations

from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from apps.payments.views import billing_routes
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
urlpatterns += [
    path(f"billing/<slug:workspace_slug>/{address}", page.as_view(), name=name)
    for address, page, name in billing_routes()
]
