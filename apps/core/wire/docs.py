"""The browsable documentation: Swagger UI from our own static files, under the same strict CSP as every page."""

from __future__ import annotations

from django.views.generic import TemplateView
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView

from apps.core.wire.views import JSONOnlyNegotiation


class ApiSchemaView(SpectacularAPIView):
    """The document, as JSON whatever is accepted: readers of YAML disagree about values such as `41e8` or `no`."""

    renderer_classes = [OpenApiJsonRenderer2]  # noqa: RUF012 - the library declares a list
    content_negotiation_class = JSONOnlyNegotiation


class ApiDocsView(TemplateView):
    """Shows `/api/v1/schema/`. Needs no exception from the CSP: no inline script, no inline style, nothing foreign."""

    template_name = "core/api_docs.html"
