"""Probes, metrics, and the OpenAPI document with its page."""

from __future__ import annotations

from django.urls import path

from apps.core import health
from apps.core.metrics import metrics
from apps.core.wire.docs import ApiDocsView, ApiSchemaView

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/v1/schema/", ApiSchemaView.as_view(), name="schema"),
    path("api/v1/docs/", ApiDocsView.as_view(), name="api-docs"),
]
