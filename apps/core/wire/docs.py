"""The browsable documentation: Swagger UI from our own static files, under the same strict CSP as every page."""

from __future__ import annotations

from django.views.generic import TemplateView


class ApiDocsView(TemplateView):
    """Shows `/api/v1/schema/`. Needs no exception from the CSP: no inline script, no inline style, nothing foreign."""

    template_name = "core/api_docs.html"
